"""The words of the arithmetic task: names, things, and every event with its wordings. Data only, no rules.

Each event has four wordings in the question and four in the worked answer. They differ as whole sentences, not by
synonyms in one frame: a decoder that drafts words of two of them in parallel gets a sentence that can't be right and
has to revoke. Weights are skewed (5, 3, 2, 1), so that a model has a favourite to be sure of.

Fields: {P} protagonist, {O} other person, {T} things, {a} {b} the event's numbers, {n} the start number,
{e} the last equation of the step (its result is the new total), {d} the equation before it, where there are two.
"""

from dataclasses import dataclass
from typing import NamedTuple

# No name is part of another name, and none is an English word of the wordings: the checker matches whole words.
# No name ends in s, so that 's is always right.
_NAMES = """Mia Omar Rosa Kenji Priya Aisha Diego Chloe Ivan Yuki Kofi Elena Tariq Ingrid Mateo Nadia Hugo Zara Liam
    Fatima Pavel Amara Raj Sofia Tunde Greta Farid Lucia Emre Hana Oscar Leila Bruno Kwame Noor Paula Viktor Maya Samir
    Olga Dmitri Keiko Carla Freya Malik Alice Jamal Noah Emma Petra Sven Ayumi Rafael Owen Gita Simon Clara Felix Ravi
    Otto"""
NAMES = tuple(_NAMES.split())


class Thing(NamedTuple):
    """A countable noun."""

    singular: str
    plural: str


_REGULAR = """card marble stamp coin pencil book sticker button bead candle spoon cup plate toy ball ribbon magnet badge
    doll kite lamp comic puzzle whistle crayon eraser envelope bracelet medal poster brick hat glove tile flag bell vase
    mug bowl photo"""
# Things that can be bought, given, lost, lent and packed: no food (nobody lends a pear), no containers (events use
# them).
THINGS = tuple(Thing(word, word + "s") for word in _REGULAR.split()) + (
    Thing("brush", "brushes"),
    Thing("dish", "dishes"),
    Thing("torch", "torches"),
    Thing("scarf", "scarves"),
    Thing("ruby", "rubies"),
    Thing("diary", "diaries"),
)


class Wording(NamedTuple):
    """A sentence template and how often it is taken, relative to its siblings."""

    weight: int
    text: str


@dataclass(frozen=True)
class Kind:
    """A kind of event.

    formula: one or two equations' left sides, n the total before, a and b the event's numbers, x the first result.
    weight: how often it is tried; the mix of operations is tuned with it (see the tests: about 60 % are + or -).
    person: whether another person takes part.
    """

    name: str
    formula: str
    weight: int
    person: bool
    question: tuple[Wording, ...]
    worked: tuple[Wording, ...]


_WEIGHTS = (5, 3, 2, 1)


def _wordings(text: str) -> tuple[Wording, ...]:
    lines = [line.strip() for line in text.strip().splitlines()]
    return tuple(Wording(weight, line) for weight, line in zip(_WEIGHTS, lines, strict=True))


def _kind(name: str, formula: str, weight: int, question: str, worked: str) -> Kind:
    return Kind(name, formula, weight, "{O}" in question, _wordings(question), _wordings(worked))


# "has", never "owns": what is lent is still owned, so "owns" would be ambiguous.
START = _wordings("""
    {P} has {n} {T}.
    At first, the collection of {P} has {n} {T}.
    {P} starts the week with {n} {T}.
    Let us say that {P} has {n} {T}.
""")
FINAL = _wordings("""
    How many {T} does {P} have now?
    Find the number of {T} that {P} has in the end.
    After all this, {P} has how many {T}?
    What is the final count of {T} for {P}?
""")

KINDS = (
    # Additions
    _kind(
        "buy",
        "n+a",
        11,
        """
        {P} buys {a} more {T}.
        A trip to the market adds {a} {T} to the collection.
        Then {P} goes into a shop and pays for {a} new {T}.
        {a} more {T} are on sale, and {P} buys them all.
        """,
        """
        After buying {a}, {P} has {e} {T}.
        That makes {e}, counting {a} from the shop.
        The new {T} raise it to {e}.
        Shopping adds up to {e}.
        """,
    ),
    _kind(
        "receive",
        "n+a",
        10,
        """
        {O} gives {P} {a} {T}.
        As a present, {P} gets {a} {T} from {O}.
        {a} {T} come as a gift from {O}.
        To say thanks, {O} hands {a} {T} to {P}.
        """,
        """
        The gift from {O} brings it to {e} {T}.
        Now {P} has {e}, because {O} gave {a}.
        Adding {a} from {O}: {e}.
        {O} hands over {a} {T}, making {e}.
        """,
    ),
    _kind(
        "find",
        "n+a",
        11,
        """
        {P} finds {a} more {T} under the bed.
        While cleaning the attic, {P} discovers {a} forgotten {T}.
        In an old drawer lie {a} {T} that nobody had counted.
        {a} extra {T} turn up behind the sofa, and {P} keeps them.
        """,
        """
        The {a} found {T} make it {e}.
        Since {P} found {a}, the new count is {e}.
        Finding {a} {T} means {e}.
        Together with what turned up: {e}.
        """,
    ),
    _kind(
        "win",
        "n+a",
        11,
        """
        {P} wins {a} {T} in a contest.
        A lucky number brings {P} {a} {T} as a prize.
        First prize in a race is {a} {T}, and {P} comes first.
        At the fair, {P} plays well and goes home with {a} new {T}.
        """,
        """
        The prize lifts the count to {e} {T}.
        Winning {a} gives {P} {e}.
        With luck {P} is up to {e} {T}.
        Add the prize of {a}: {e}.
        """,
    ),
    _kind(
        "returned",
        "n+a",
        10,
        """
        {O} brings back {a} {T} borrowed last year.
        Months ago {O} borrowed {a} {T}, and today {P} gets them back.
        {P} gets {a} {T} back from {O}, who borrowed them long ago.
        An old loan ends: {O} returns {a} {T} to {P}.
        """,
        """
        Back from {O} come {a}, so {P} has {e}.
        The old loan to {O} is over: {e}.
        When {a} {T} return, the total is {e}.
        {O} no longer holds {a}, thus {e} {T}.
        """,
    ),
    _kind(
        "parcel",
        "n+a",
        11,
        """
        A parcel with {a} {T} arrives for {P}.
        The mail brings {P} {a} new {T}.
        {P} opens a package and takes out {a} new {T}.
        An online order of {a} {T} reaches {P}.
        """,
        """
        The parcel adds {a}, giving {e} {T}.
        After the mail arrives, {P} counts {e}.
        With {a} in the package, {e} {T}.
        Unpacked and added: {e}.
        """,
    ),
    _kind(
        "birthday",
        "n+a",
        11,
        """
        For a birthday, the guests bring {P} {a} {T}.
        {P} has a birthday and receives {a} {T}.
        At the birthday party, {a} {T} are waiting for {P}.
        Friends come to celebrate, and {P} unwraps {a} new {T}.
        """,
        """
        Birthday gifts bring {P} to {e} {T}.
        The guests added {a}: {e}.
        At the party the {T} grow to {e}.
        Unwrapping {a} {T} leads to {e}.
        """,
    ),
    _kind(
        "earn",
        "n+a",
        10,
        """
        {P} earns {a} {T} for washing the car of {O}.
        {O} pays {P} {a} {T} for help in the garden.
        {P} walks the dog of {O} and gets {a} {T} as thanks.
        A small job for {O} earns {P} {a} {T}.
        """,
        """
        Working for {O} pays {a} {T}: {e}.
        As a reward {P} now counts {e} {T}.
        {O} paid {a}, that is {e}.
        The job was worth it, {e} {T}.
        """,
    ),
    # Subtractions
    _kind(
        "give",
        "n-a",
        10,
        """
        {P} gives {a} {T} to {O}.
        {O} asks for {a} of the {T}, and {P} hands them over.
        Out of kindness, {P} lets {O} keep {a} of the {T}.
        {a} of the {T} go to {O} as a present.
        """,
        """
        After giving {a} to {O}, {e} {T} are left.
        Now there are {e}, since {a} go to {O}.
        {O} takes {a} {T}: {e}.
        That leaves {e}.
        """,
    ),
    _kind(
        "lose",
        "n-a",
        10,
        """
        {P} loses {a} of the {T}.
        Through a hole in a bag, {a} {T} fall out and are never seen again.
        On the way home, {a} of the {T} get lost.
        One day {P} notices that {a} {T} have disappeared.
        """,
        """
        Losing {a} {T} leaves {P} with {e}.
        Only {e} {T} remain when {a} are gone.
        Without the lost {T} it is {e}.
        Sadly, {P} can find just {e}.
        """,
    ),
    _kind(
        "sell",
        "n-a",
        10,
        """
        {P} sells {a} {T} to {O}.
        {O} buys {a} of the {T} from {P}.
        At a yard sale, {a} of the {T} are sold to {O}.
        {O} wants {a} {T} and pays {P} a fair price for them.
        """,
        """
        The sale to {O} cuts the {T} to {e}.
        Once {a} are sold, {P} has {e} {T}.
        Selling {a} to {O}: {e}.
        For money {P} parts with {a}, so {e}.
        """,
    ),
    _kind(
        "discard",
        "n-a",
        10,
        """
        {P} throws away {a} damaged {T}.
        A flood ruins {a} of the {T}, so they are thrown out.
        {a} {T} are too old to keep, and {P} puts them in the bin.
        After a careful check, {P} gets rid of {a} bad {T}.
        """,
        """
        Throwing out {a}, {P} keeps {e} {T}.
        In the bin go {a} {T}: {e}.
        Good {T} remain, {e} of them.
        Bad {T} do not count, hence {e}.
        """,
    ),
    _kind(
        "donate",
        "n-a",
        10,
        """
        {P} donates {a} {T} to a school.
        A charity collects {a} of the {T} from {P}.
        The local museum is glad to receive {a} {T} from {P}.
        To help others, {P} drops off {a} {T} at the hospital.
        """,
        """
        Donating {a} takes {P} to {e}.
        For a good cause the {T} drop to {e}.
        Donated {T} are subtracted: {e}.
        Helping others costs {P} {a}: {e}.
        """,
    ),
    _kind(
        "lend",
        "n-a",
        10,
        """
        {P} lends {a} {T} to {O}.
        {O} borrows {a} of the {T} for a while.
        {O} needs {a} {T} for a school project, and {P} lends them.
        {a} of the {T} leave the house on loan to {O}.
        """,
        """
        While {O} borrows {a}, {P} has {e} {T}.
        Lending {a} {T} means {e}.
        On loan to {O} are {a}, which gives {e}.
        The {T} at home number {e}.
        """,
    ),
    _kind(
        "thief",
        "n-a",
        10,
        """
        A thief steals {a} {T} from {P}.
        During the night, somebody takes {a} of the {T} without asking.
        {P} is robbed of {a} {T}.
        A cheeky monkey runs off with {a} of the {T}.
        """,
        """
        The thief got {a}, so {P} has {e}.
        Stolen {T} are missing: {e}.
        After the theft {P} counts {e}.
        Nobody stole the other {T}: {e}.
        """,
    ),
    _kind(
        "forget",
        "n-a",
        10,
        """
        {P} forgets {a} of the {T} on the train.
        A taxi drives off with {a} of the {T} still on the back seat.
        Back from a trip, {P} sees that {a} {T} stayed at the hotel.
        By mistake, {a} of the {T} are left behind on a bench.
        """,
        """
        Leaving {a} behind, {P} has {e} {T}.
        The trip cost {a} {T}, so {e}.
        Forgotten ones do not count: {e} {T}.
        Not all came home, just {e}.
        """,
    ),
    _kind(
        "mail",
        "n-a",
        10,
        """
        {P} mails {a} {T} to {O}.
        A package for {O} leaves with {a} of the {T} inside.
        {O} lives far away, so {P} sends a parcel of {a} {T} there.
        {P} ships off {a} {T}, which {O} receives a week later.
        """,
        """
        The package for {O} takes {a}: {e} {T}.
        Mailing {a} {T} reduces it to {e}.
        As {O} is sent {a}, {P} has {e}.
        Not mailed: {e} {T}.
        """,
    ),
    _kind(
        "swap",
        "n-a x+b",
        8,
        """
        {P} trades {a} {T} to {O} for {b} other ones.
        {O} takes {a} of the {T} and gives {P} {b} different ones.
        In a swap with {O}, {P} hands over {a} {T} and gets {b}.
        {P} offers {O} {a} {T} and receives {b} others in exchange.
        """,
        """
        The trade with {O}: {d}, then {e}.
        First {d}, and with {b} more {e}.
        Some {T} go, some come: {d}, {e}.
        In exchange {P} gets {b}: {d}, {e}.
        """,
    ),
    # Multiplications, and products that are added or taken away
    _kind(
        "boxes",
        "a*b n+x",
        10,
        """
        {P} buys {a} boxes of {b} {T} each.
        A shop delivers {a} packs to {P}, each with {b} {T} inside.
        In each of {a} bags that {P} gets, there are {b} {T}.
        {P} orders {a} crates, and every crate holds {b} {T}.
        """,
        """
        The new {T} are {d}, so now {e}.
        Inside are {d}, and {P} has {e} {T}.
        As {d} {T} come in, the sum is {e}.
        Each holds {b}: {d}, hence {e}.
        """,
    ),
    _kind(
        "bags",
        "a*b n-x",
        9,
        """
        {P} packs {a} bags with {b} {T} each and gives the bags to {O}.
        {O} gets {a} boxes from {P}, each filled with {b} of the {T}.
        To {O}, {P} sends {a} packs of {b} {T} each.
        {P} hands {O} a bundle of {b} {T}, {a} times in all.
        """,
        """
        Packed for {O} are {d}, leaving {e} {T}.
        Take {d} {T} away: {e}.
        With {d} gone to {O}, {P} has {e}.
        The bags cost {P} {d} {T}: {e}.
        """,
    ),
    _kind(
        "treat",
        "a*b n-x",
        9,
        """
        {P} gives {b} {T} to each of {a} cousins.
        There are {a} neighbors, and {P} hands every one of them {b} {T}.
        Each of {a} classmates receives {b} {T} from {P}.
        {a} children visit, and each goes home with {b} of the {T}.
        """,
        """
        Handing out {d} leaves {P} with {e} {T}.
        Each gets {b}, in all {d}: {e}.
        So {d} {T} go and {e} stay.
        Count {d} for the others, {e} for {P}.
        """,
    ),
    _kind(
        "double",
        "n*2",
        15,
        """
        Within a month, {P} doubles the number of {T}.
        The number of {T} doubles by summer.
        After a lucky season, {P} has twice as many {T}.
        A rich aunt doubles the collection for {P}.
        """,
        """
        Doubling gives {P} {e} {T}.
        Twice as many is {e}.
        The {T} double, so {e}.
        Two times the old number of {T}: {e}.
        """,
    ),
    _kind(
        "triple",
        "n*3",
        22,
        """
        By winter, {P} has three times as many {T}.
        The collection that {P} has triples over the year.
        Thanks to a sponsor, the number of {T} triples.
        It goes so well that {P} ends up with three times as many {T}.
        """,
        """
        Three times as many {T} is {e}.
        Tripled, the collection of {P} counts {e}.
        Now {e} {T} fill the place.
        One becomes three, so {e}.
        """,
    ),
    _kind(
        "times",
        "n*a",
        20,
        """
        A year later, {P} has {a} times as many {T}.
        The collection grows to {a} times its size.
        {P} sets a goal of {a} times as many {T} and reaches it.
        With a lot of work, {P} makes the number of {T} {a} times as large.
        """,
        """
        Growing {a} times as large makes {e} {T}.
        Multiply by {a}: {e}.
        With {a} for every one, {P} has {e}.
        The {T} multiply: {e}.
        """,
    ),
    _kind(
        "match",
        "n+n",
        11,
        """
        {O} gives {P} as many {T} as {P} already has.
        For each of the {T}, {O} gives {P} one more.
        {P} has the same number of {T} as {O}, who now gives all of them to {P}.
        {O} counts the {T} that {P} has and adds just as many.
        """,
        """
        The same number from {O} makes {e} {T}.
        Now {P} has {e}, as {O} gave just as many.
        {O} matches it: {e}.
        An equal gift of {T} brings {e}.
        """,
    ),
    # Divisions
    _kind(
        "halve",
        "n/2",
        24,
        """
        {P} gives half of the {T} to {O}.
        {O} receives one half of the {T} from {P}.
        Half of the {T} go to {O}, and the rest stay with {P}.
        {P} and {O} divide the {T} so that both get the same number.
        """,
        """
        Half go to {O}, so {P} keeps {e} {T}.
        Halved, the {T} are {e}.
        Sharing with {O} gives {e}.
        Both get {e}.
        """,
    ),
    _kind(
        "share",
        "n/a",
        60,
        """
        {P} puts the {T} into {a} equal piles and keeps only one pile.
        The {T} are split evenly into {a} groups, and {P} keeps just one group.
        {a} friends, {P} among them, divide the {T} equally.
        {P} packs the {T} evenly into {a} boxes and gives away all but one box.
        """,
        """
        One of {a} equal parts has {e} {T}.
        Split {a} ways, {P} keeps {e}.
        Each part gets {e} {T}.
        A single share is {e} for {P}.
        """,
    ),
    _kind(
        "third",
        "n/3",
        38,
        """
        {P} keeps one third of the {T} and gives the rest away.
        A fire destroys two thirds of the {T}.
        There is room for only a third of the {T}, so {P} sells the others.
        Of every three {T}, {P} keeps one and throws out two.
        """,
        """
        Keeping a third, {P} has {e} {T}.
        Two thirds are gone: {e}.
        The {T} shrink to {e}, one in three.
        Divide by three to get {e} {T}.
        """,
    ),
    _kind(
        "quarter",
        "n/4",
        44,
        """
        {P} holds on to a quarter of the {T} and lets the others go.
        A storm carries off three quarters of the {T}.
        Just a quarter of the {T} fit in the new flat, so {P} sells the rest.
        Of every four {T}, {P} loses three.
        """,
        """
        A quarter is {e} {T}.
        Three quarters go, so {P} has {e}.
        Dividing the {T} by four: {e}.
        Merely {e} stay with {P}.
        """,
    ),
    _kind(
        "gift_third",
        "n/3 n-x",
        32,
        """
        {P} gives a third of the {T} to {O}.
        {O} gets one out of every three {T} from {P}.
        As a present, one third of the {T} go to {O}.
        {P} makes three equal piles of the {T}, and {O} takes one pile home.
        """,
        """
        The third for {O} is {d}, so {e} stay.
        Parting with {d} {T} leaves {P} {e}.
        First {d} for {O}, then {e} {T}.
        One third makes {d}, two thirds {e}.
        """,
    ),
    _kind(
        "pool",
        "n+a x/2",
        14,
        """
        {O} has {a} {T}, so {P} and {O} put everything together and share equally.
        {P} and {O}, who has {a} {T}, pool everything and take half each.
        {O} adds {a} {T} to the pile, and then {P} and {O} each take half of it.
        Together with {a} {T} that {O} has, all is divided evenly between {P} and {O}.
        """,
        """
        Together {d} {T}, and half is {e}.
        The pile with {O} is {d}: {e}.
        Half of {d} for {P} is {e} {T}.
        Pooled, {d}; evenly divided, {e}.
        """,
    ),
)
