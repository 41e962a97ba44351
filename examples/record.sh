#!/usr/bin/env bash
# Record the example traces in examples/traces with the shipped model. Each trace keeps the command that made it.
#     examples/record.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python}
mkdir -p examples/traces

record() { # FILE SPEC RECORD TITLE NOTE [MODEL]
  echo "$1" >&2
  "$python" -m wino_viz decode --model "${6:-llada-mini}" --decoder "$2" --record "$3" --title "$4" --note "$5" \
    --trace "examples/traces/$1.json"
}

# Test problems 403, 126, 142 and 246 (from 0) of: python -m wino_viz.tasks.arithmetic --split test --count 500 --seed 0
problem_403='{"task": "arithmetic", "question": "Leila has 83 envelopes. Alice buys 7 of the envelopes from Leila. Leila mails 65 envelopes to Alice. Leila throws away 6 damaged envelopes. How many envelopes does Leila have now?", "answer": 5, "steps": 3}'
problem_126='{"task": "arithmetic", "question": "At first, the collection of Kwame has 103 candles. A charity collects 11 of the candles from Kwame. Through a hole in a bag, 8 candles fall out and are never seen again. A storm carries off three quarters of the candles. The candles are split evenly into 3 groups, and Kwame keeps just one group. A parcel with 15 candles arrives for Kwame. Kwame gives half of the candles to Aisha. What is the final count of candles for Kwame?", "answer": 11, "steps": 6}'
problem_142='{"task": "arithmetic", "question": "Owen has 5 books. Within a month, Owen doubles the number of books. Emma gives Owen 11 books. Emma borrows 4 of the books for a while. How many books does Owen have now?", "answer": 17, "steps": 3}'
problem_246='{"task": "arithmetic", "question": "Otto has 87 badges. Within a month, Otto doubles the number of badges. A trip to the market adds 13 badges to the collection. Sven has 3 badges, so Otto and Sven put everything together and share equally. Otto buys 4 boxes of 8 badges each. Otto offers Omar 30 badges and receives 9 others in exchange. How many badges does Otto have now?", "answer": 106, "steps": 5}'
# Test problem 466 of wino_viz.tasks.sudoku, and 5 of wino_viz.tasks.countdown, with the same options
sudoku_466='{"task": "sudoku", "puzzle": "0340042300000000", "solution": "2341142332144132"}'
countdown_5='{"task": "countdown", "numbers": [11, 28, 3], "target": 51}'

record 1-two-wordings-collide wino "$problem_403" \
  'Two wordings collide' \
  'Parallel drafts take words and digits from two different sentences. The shadow block finds the ones that do not fit, and takes them back.'
record 2-right-where-one-at-a-time-is-wrong wino "$problem_126" \
  'Right where one token at a time is wrong' \
  'Standard decoding of this problem leaves out an event and can not go back. WINO takes seven tokens back on the way, and ends right.'
record 3-a-sentence-is-rewritten wino "$problem_142" \
  'A whole sentence is rewritten' \
  'The last step begins in one wording and ends in another: sixteen tokens go back before it reads as one.'
record 4-one-token-at-a-time standard "$problem_403" \
  'The first example, one token at a time' \
  'Standard decoding of the first example: 128 passes for 128 tokens, and nothing is ever taken back.'
record 5-drafting-without-verification threshold:tau=0.6 "$problem_403" \
  'The first example, drafts never verified' \
  'The same drafts above 0.6, but no shadow block: fewer passes, and what collides stays, and no answer can be read.'
record 6-wino-gets-one-wrong wino "$problem_246" \
  'WINO gets one wrong' \
  'It takes nine tokens back and still ends with a wrong number: verification asks whether a token fits, not whether it is true.'

# Compare opens with this one beside the first and the fifth.
if [ -d assets/models/llada-mini-wino-plus ]; then
  record 7-wino-plus threshold "$problem_403" \
    'The first example, by WINO+' \
    'A model trained on the order in which WINO placed its tokens decodes by a plain threshold: no shadow block, and nothing is taken back.' \
    llada-mini-wino-plus
fi

record 8-two-of-a-digit wino:tau1=0.5 "$sudoku_466" \
  'A sudoku: two of a digit in a column' \
  'Drafts above 0.5 put the same digit twice where it may stand once. The board shows which cells go back, and what takes their place.'
record 9-a-countdown-in-three-passes wino "$countdown_5" \
  'A countdown in three passes' \
  'This model sees both equations at once: WINO takes three passes only because it drafts at most 70 % of the masks in one.'

# ---- pictures: scenes (from 0) of `python -m wino_viz.tasks.scenes --count 44 --seed 0`, split validation or test
scenes=$(mktemp -d)
trap 'rm -rf "$scenes"' EXIT
for split in validation test; do
  "$python" -m wino_viz.tasks.scenes --split "$split" --count 44 --seed 0 --out "$scenes/$split" >/dev/null
done
mkdir -p examples/pictures

picture() { # FILE SPLIT NUMBER captions|questions SPEC TITLE NOTE
  echo "$1" >&2
  local image=examples/pictures/$1.png problem
  cp "$scenes/$2/pictures/$(printf %04d "$3").png" "$image"
  problem=$(sed -n "$(($3 + 1))p" "$scenes/$2/$4.jsonl")
  "$python" -m wino_viz decode --model mmada-mini --decoder "$5" --record "$problem" --image "$image" \
    --seen "examples/pictures/$1.seen.png" --words --title "$6" --note "$7" --trace "examples/pictures/$1.json"
}

picture 1-five-objects-at-once validation 27 captions wino \
  'Five objects, drafted together' \
  'Sizes, colours and shapes of several objects are drafted in one pass; those that do not fit each other are taken back.'
picture 2-which-object-next validation 6 captions wino \
  'Which object comes next?' \
  'The sentence stands early; what it says of each object is drafted, judged against the picture, and drafted again.'
picture 3-one-token-at-a-time validation 27 captions standard \
  'The first picture, one token at a time' \
  'Standard decoding of the first picture: 64 passes for 64 tokens, and nothing is ever taken back.'
picture 4-a-question validation 0 questions wino \
  'A question with a short answer' \
  'A few words, and end of text for the rest: three or four passes.'
picture 5-a-pair-never-shown test 9 captions wino \
  'A pair of shape and colour that was never shown' \
  'No picture in training had a purple circle. The model saw other purple things and other circles, and has to put the two together.'
picture 6-a-pair-it-misses test 23 captions wino \
  'A pair never shown, and missed' \
  'No picture in training had a yellow diamond, and the model calls this one orange: it sees two orange diamonds where one is yellow. The red moon, never shown either, it gets right.'
