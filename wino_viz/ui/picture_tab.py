"""The Multimodal tab: a picture, a question about it, and the answer as it is decoded: once, by two decoders, or with
the picture blanked beside it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from wino_viz.model_menu import ModelMenu
from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS
from wino_viz.ui.closer import look_closer
from wino_viz.ui.controls_form import ControlsForm
from wino_viz.ui.decode_tab import ON_REFUSED, ON_STOP, OWN, about, on_end, on_run
from wino_viz.ui.decoder_form import DecoderForm, decoder_choices
from wino_viz.ui.examples import PictureExample, best_example
from wino_viz.ui.forms import HIDDEN, MODEL_QUEUE
from wino_viz.ui.going_on import go_on
from wino_viz.ui.messages import clear_message
from wino_viz.ui.model_form import ModelForm
from wino_viz.ui.picture_desk import Desk, asked_about, of_example, picture_about, words_message
from wino_viz.ui.picture_form import (
    SEEDS,
    WHATS,
    PictureForm,
    QuestionForm,
    Shown,
    bring_message,
    brought,
    chips_message,
    composed,
)
from wino_viz.ui.picture_turns import FollowUps, on_picture_turns
from wino_viz.ui.plant import plant_panel
from wino_viz.ui.player import Player
from wino_viz.ui.take import played, take_away
from wino_viz.ui.turns import Asking, sent
from wino_viz.ui.watching import broken_off, is_finished, numbered, stop, watch
from wino_viz.ui.widgets import Figures, Notice, PictureStrip, WordsFromPicture, figures, say

EMBEDDED = "mmada-mini"  # the model that knows drawn scenes only
FIRST_SEED = 7
TITLES = ("With the picture", "With a blank picture")
INTRO = (
    "The model reads a picture as a grid of tokens. Press Run and watch its words drafted, checked against the picture and "
    "taken back. mmada-mini, the small model, is right about most scenes, not all."
)


def picture_tab(menu: ModelMenu, examples: Sequence[PictureExample]) -> None:
    """Builds the tab inside the page that is being made; `menu` has at least one model that sees."""
    session = menu.pictures
    opening = best_example(examples)
    first = of_example(opening) if opening else composed(FIRST_SEED)
    task = opening.record["task"] if opening else "caption"
    choices = decoder_choices(session)
    press, desk = gr.Number(visible=False), gr.State(Desk(first))
    gr.HTML(f"<p class='picture-intro'>{INTRO}</p>")
    with gr.Row(elem_classes="picture-tab"):
        with gr.Column(min_width=280, elem_classes="wv-panel picture-panel"):
            choice = gr.Dropdown(
                [("none: a picture of your own", OWN), *((example.title, n) for n, example in enumerate(examples))],
                value=examples.index(opening) if opening else OWN,
                label="Recorded example",
                filterable=False,
                visible=bool(examples),
                elem_id="picture-examples",
            )
            model = ModelForm(menu, "picture", pictures=True)
            form = PictureForm(FIRST_SEED)
            asked = QuestionForm(first, task, opening.trace.prompt if opening else CAPTION_PROMPTS[0])
            what = gr.Radio(
                WHATS, value="one", label="Watch", elem_classes=["segments", "picture-what"], elem_id="picture-what"
            )
            left = DecoderForm(choices, "picture", "Decoder", "wino")
            with gr.Column(elem_classes="for-second", min_width=200):
                right = DecoderForm(choices, "picture-second", "Second decoder", "standard")
            with gr.Column(elem_classes="picture-go", min_width=200):
                with gr.Row(elem_classes="together"):
                    run_button = gr.Button("Run", variant="primary", elem_id="picture-run", min_width=120, scale=2)
                    stop_button = gr.Button("Stop", elem_id="picture-stop", min_width=80, scale=1)
                notice = Notice(say(about(opening)) if opening else None, elem_id="picture-notice")
            lengths = {name: session.lengths(name) for name in ("caption", "vqa")}
            learned = f"The model learned {lengths['caption'][0]} for a description, {lengths['vqa'][0]} for an answer."
            canvas = ControlsForm(
                session,
                "picture",
                towards="the picture and the question",
                words="0:Two, 1:objects",
                lengths=lengths[task],
                learned=learned,
            )
        with gr.Column(min_width=280, elem_classes="picture-top"):
            strip = PictureStrip(
                first.message(session.model == EMBEDDED), label="The picture and its tokens", elem_id="picture-strip"
            )
        with gr.Column(min_width=280, elem_classes="picture-stage"):
            with gr.Column(elem_classes="for-one"):
                message = (
                    opening.message(verdict=session.judge(opening.record, opening.trace.text)) if opening else None
                )
                single = Player(message, fold_prompt=True, plant=True, elem_id="picture-player")
                take_away("picture-player", held=desk, picture_of=picture_about)
                asking = Asking("picture-player", menu, pictures=True)
                follow_up = asking.panel("picture-turns")
            with gr.Column(elem_classes="for-two"):
                pair = Player(lanes=2, fold_prompt=True, elem_id="picture-pair")
                table = Figures(label="Figures side by side", elem_id="picture-figures")
            words = WordsFromPicture(
                words_message(opening.words or None) if opening else None,
                label="Words from the picture",
                elem_id="picture-words",
            )
            with gr.Column(elem_classes="for-one"):
                plant_panel(
                    menu, None, "picture-player", desk, on_run, on_end, ON_REFUSED, "picture-plant", asked_about
                )
                closer = look_closer("picture-player", branch=True)

    values = [*left.inputs, *right.inputs, *canvas.inputs, model.preset]
    count = len(left.inputs)

    def chosen(desk: Desk) -> Any:
        """The session of the model that is chosen on a page."""
        return menu.session(desk.model) if desk.model else session

    def warns(desk: Desk) -> bool:
        return chosen(desk).model == EMBEDDED

    def read(desk: Desk, values: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """The first decoder, and the size of the canvas with what else is asked."""
        *values, preset = values
        session = chosen(desk)
        size = canvas.read(*values[2 * count :])
        size |= {"preset": preset} if preset in session.named_presets else {}
        return left.read(*values[:count], session=session), size

    def run(press: Any, desk: Desk, what: str, ask: str, prompt: str, *values: Any) -> Iterator[dict]:
        shown, made = desk.shown, []
        session, warn = chosen(desk), warns(desk)

        def start() -> list[Any]:
            one, size = read(desk, values)
            picture = shown.see(session)
            lanes = {
                "one": lambda: [(one, picture)],
                "two": lambda: [
                    (one, picture),
                    (right.read(*values[count : 2 * count], session=session), picture),
                ],
                "blank": lambda: [(one, picture), (one, session.blank())],
            }[what]()
            record = shown.record(ask, prompt)
            made.extend(each.start(prompt, picture=seen, record=record, **size) for each, seen in lanes)
            return made

        if desk.current.is_late(numbered(press)):
            yield {notice: gr.skip()}
            return
        number, told = desk.begin(two_lanes=what != "one"), shown.codes is not None
        yield {words: words_message()}
        for update in watch(desk.current, start, session.loaded, TITLES if what == "blank" else (), press):
            changes = parts(update, desk)
            if not told and shown.codes is not None and desk.shown is shown:
                changes[strip], told = shown.message(warn), True
            yield changes
        if desk.runs != number or desk.shown is not shown or not (made and is_finished(made[0].trace())):
            return  # stopped, refused, or no longer what the page shows
        desk.decoding = made[0]
        if what != "blank":
            yield {words: words_message(state="offer")}
        if what == "blank":
            yield {words: words_message(state="busy")}
            yield {words: words_message(made[0].words_from_picture())}

    def run_alone(desk: Desk, start: Callable[[], list[Any]], press: Any = None) -> Iterator[dict]:
        """One more answer about the picture that is shown; that before it stays where the new one is refused."""
        shown, made = desk.shown, []

        def begin() -> list[Any]:
            made.extend(start())
            return made

        if desk.current.is_late(numbered(press)):
            yield {notice: gr.skip()}
            return
        runs, decoding, two_lanes = desk.runs, desk.decoding, desk.two_lanes
        number = desk.begin(two_lanes=False)
        for update in watch(desk.current, begin, chosen(desk).loaded, press=press):
            yield parts(update, desk) | ({words: words_message()} if update.player else {})
        if desk.runs != number or desk.shown is not shown:
            return
        if not made:  # refused
            desk.runs, desk.decoding, desk.two_lanes = runs, decoding, two_lanes
        elif made[0].picture is not None and is_finished(made[0].trace()):
            desk.decoding = made[0]
            yield {words: words_message(state="offer")}

    def decode_on(desk: Desk, event: gr.EventData) -> Iterator[dict]:
        def start() -> list[Any]:
            trace, _ = played(sent(event).get("message"))
            record = asked_about(desk, trace)
            picture = None if record is None else desk.shown.see(chosen(desk))
            seen = picture is not None and chosen(desk).shows(
                trace, picture
            )  # a recording's may differ where it was made
            return [go_on(menu, None, sent(event), record, picture if seen else None)]

        yield from run_alone(desk, start)

    def parts(update: Any, desk: Desk) -> dict:
        """What an update changes on the page, in the player of the run."""
        changes: dict[Any, Any] = {notice: update.notice or gr.skip()}
        if update.player:
            changes |= {pair if desk.two_lanes else single: update.player, choice: OWN}
        if update.rows is not None and desk.two_lanes:
            changes[table] = figures(update.rows)
        return changes

    def put(desk: Desk, shown: Shown, ask: str, prompt: str, said: str) -> dict:
        """Another picture on the page: what was decoded about the one before goes; a question of one's own stays."""
        kept = not desk.shown.is_suggested(prompt)
        session = chosen(desk)
        desk.put(shown)
        if session.loaded:
            try:
                shown.see(session)
            except ValueError as error:
                said = say(str(error), "error")
        return {
            strip: shown.message(warns(desk)),
            single: clear_message(),
            pair: clear_message(),
            table: figures([]),
            words: words_message(),
            notice: said,
            choice: OWN,
            asked.prompt: gr.skip() if kept else shown.suggestions(ask)[0],
            asked.chips: chips_message(shown, ask),
        }

    def compose_anew(desk: Desk, count: Any, novel: bool, ask: str, prompt: str) -> dict:
        seed = secrets.randbelow(SEEDS)
        shown = composed(seed, count, novel)
        return {**put(desk, shown, ask, prompt, say("A new scene: press Run.")), form.seed: seed}

    def compose_same(desk: Desk, count: Any, novel: bool, seed: Any, ask: str, prompt: str) -> dict:
        """The scene of the seed that stands there."""
        if seed is None:
            return {notice: gr.skip()}  # being typed
        try:
            shown = composed(seed, count, novel)
        except ValueError as error:
            return {notice: say(str(error), "error")}
        return put(desk, shown, ask, prompt, say("The scene of this seed: press Run."))

    def bring(desk: Desk, ask: str, prompt: str, event: gr.EventData) -> dict:
        data = event._data.get("data") if isinstance(event._data, Mapping) else None
        try:
            shown = brought(data)
        except ValueError as error:
            return {notice: say(str(error), "error"), form.bring: bring_message()}
        said = say("Your picture: press Run." + (" Read the note beside it first." if warns(desk) else ""))
        return {**put(desk, shown, ask, prompt, said), form.bring: bring_message()}

    def see(desk: Desk) -> dict:
        shown, said = desk.shown, gr.skip()
        try:
            shown.see(chosen(desk))
        except ValueError as error:
            said = say(str(error), "error")
        return {notice: said, strip: shown.message(warns(desk)) if desk.shown is shown else gr.skip()}

    def ask_for(desk: Desk, ask: str, prompt: str) -> dict:
        shown = desk.shown
        return {
            asked.prompt: shown.suggestions(ask)[0] if shown.is_suggested(prompt) else gr.skip(),
            asked.chips: chips_message(shown, ask),
            canvas.gen_length: chosen(desk).lengths(ask)[0],
            canvas.block_length: chosen(desk).lengths(ask)[1],
        }

    def choose_model(desk: Desk, kept: str, name: str, ask: str) -> Iterator[dict]:
        desk.current.end()
        for update in model.load(name):
            if update.done is None:
                yield {model.told: update.progress}
            elif not update.done:
                yield {notice: update.notice, model.told: update.progress, model.name: kept}
            else:
                desk.model, desk.decoding, desk.shown = name, None, desk.shown.unseen()
                yield {
                    notice: update.notice,
                    model.told: update.progress,
                    model.kept: name,
                    model.preset: model.presets(name),
                    strip: desk.shown.message(warns(desk)),
                    single: clear_message(),
                    pair: clear_message(),
                    table: figures([]),
                    words: words_message(),
                    **suits(desk, ask),
                }

    def suits(desk: Desk, task: str) -> dict:
        """What suits a task, or a named preset, of the model that is chosen."""
        session = chosen(desk)
        size = canvas.fit_model(task, session, model.longest(session.model), "" if desk.model else learned)
        filled = [*left.fill(left.usual(task, session)), *right.fill(right.usual(task, session)), *size]
        return dict(zip(values[:-1], filled, strict=True))

    def choose_preset(desk: Desk, name: str, ask: str) -> dict:
        return suits(desk, model.known(chosen(desk).model, name) or ask)

    def ask_words(desk: Desk) -> dict:
        if desk.decoding is None:
            return {words: words_message()}
        return {words: words_message(desk.decoding.words_from_picture())}

    def show_example(desk: Desk, index: int) -> dict:
        if index == OWN:
            return {notice: gr.skip()}
        example = examples[index]
        shown, record, trace = of_example(example), example.record, example.trace
        desk.put(shown)
        desk.model = ""  # as it was recorded
        forms = zip([*left.inputs, *canvas.inputs], [*left.show(trace), *canvas.show(trace)], strict=True)
        return {
            strip: shown.message(warns(desk)),
            model.name: model.home()[0],
            model.preset: model.home()[1],
            model.kept: model.home()[0],
            single: example.message(play=True, verdict=session.judge(record, trace.text)),
            pair: clear_message(),
            table: figures([]),
            words: words_message(example.words or None),
            notice: say(about(example)),
            what: "one",
            asked.ask: record["task"],
            asked.prompt: trace.prompt,
            asked.chips: chips_message(shown, record["task"]),
            **dict(forms),
        }

    running = run_button.click(
        run,
        [press, desk, what, asked.ask, asked.prompt, *values],
        [strip, single, pair, table, words, notice, choice],
        js=on_run("winoPage.onPictureRun()"),
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    stop_button.click(
        lambda press, desk: parts(stop(desk.current, press), desk),
        [press, desk],
        [single, pair, table, notice, choice],
        js=ON_STOP,
        trigger_mode="multiple",
        concurrency_limit=None,
        **HIDDEN,
    )

    def broken(desk: Desk) -> dict:
        return parts(broken_off(desk.current), desk)

    running.failure(broken, desk, [single, pair, table, notice, choice], queue=False, **HIDDEN)

    running.failure(None, js=ON_REFUSED % "picture", **HIDDEN)

    going_on = closer.select(
        decode_on,
        desk,
        [single, pair, table, words, notice, choice],
        trigger_mode="multiple",
        **MODEL_QUEUE,
        **HIDDEN,
    )
    going_on.failure(broken, desk, [single, pair, table, notice, choice], queue=False, **HIDDEN)
    going_on.failure(None, js=ON_REFUSED % "picture", **HIDDEN)

    page = [strip, single, pair, table, words, notice, choice, asked.prompt, asked.chips]
    question = [asked.ask, asked.prompt]
    form.new.click(compose_anew, [desk, form.count, form.novel, *question], [*page, form.seed], **HIDDEN)
    for field_of_scene in (form.count, form.novel, form.seed):
        field_of_scene.input(
            compose_same,
            [desk, form.count, form.novel, form.seed, *question],
            page,
            trigger_mode="always_last",
            **HIDDEN,
        )
    form.bring.upload(bring, [desk, *question], [*page, form.bring], **HIDDEN)
    # Not for an upload: one that is refused leaves the run alone, and one that is taken ends it by `put`.
    for event in (form.new.click, form.count.input, form.novel.input, form.seed.input):
        event(None, cancels=[running], **HIDDEN)  # also a run that still waits for its turn
    strip.click(see, desk, [strip, notice], **MODEL_QUEUE, **HIDDEN)
    words.click(ask_words, desk, words, **MODEL_QUEUE, **HIDDEN)
    asked.ask.input(
        ask_for, [desk, *question], [asked.prompt, asked.chips, canvas.gen_length, canvas.block_length], **HIDDEN
    )
    recorded = [*page, what, asked.ask, *left.inputs, *canvas.inputs, *model.inputs, model.kept]
    choice.select(show_example, [desk, choice], recorded, **HIDDEN)
    fitted = [notice, model.told, model.kept, *model.inputs, strip, single, pair, table, words, *values[:-1]]
    model.name.input(
        choose_model,
        [desk, model.kept, model.name, asked.ask],
        fitted,
        cancels=[running],
        concurrency_limit=None,
        **HIDDEN,
    )
    model.preset.input(choose_preset, [desk, model.preset, asked.ask], values[:-1], queue=False, **HIDDEN)

    def filled(desk: Desk, ask: str, prompt: str, is_asked: bool) -> dict:
        """The forms with a question; `is_asked`: they ask for its kind already, so that their lengths stay."""
        gen_length, block_length = chosen(desk).lengths(ask)
        size = {} if is_asked else {canvas.gen_length: gen_length, canvas.block_length: block_length}
        chips = {asked.ask: ask, asked.chips: chips_message(desk.shown, ask)}
        return {what: "one", asked.prompt: prompt, **({} if is_asked else chips), **size}

    def cleared(desk: Desk) -> dict:
        desk.current.end()
        desk.decoding = None
        return {
            single: clear_message(),
            words: words_message(),
            choice: OWN,
            notice: say("Started over: Run asks the first question again, or ask another."),
        }

    changed = [*page, what, asked.ask, canvas.gen_length, canvas.block_length]
    tab = FollowUps(
        desk, single, asked.ask, values, changed, chosen, read, asked_about, run_alone, filled, cleared, broken
    )
    on_picture_turns(follow_up, asking, tab, on_run, ON_REFUSED)
