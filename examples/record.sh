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

# Test problems 33, 185, 243 and 134 (from 0) of: python -m wino_viz.tasks.arithmetic --split test --count 500 --seed 0
problem_33='{"task": "arithmetic", "question": "Carla has 103 stickers. Emma pays Carla 3 stickers for help in the garden. Then Carla goes into a shop and pays for 36 new stickers. Each of 2 classmates receives 6 stickers from Carla. Half of the stickers go to Emma, and the rest stay with Carla. How many stickers does Carla have now?", "answer": 65, "steps": 4}'
problem_185='{"task": "arithmetic", "question": "Emre starts the week with 19 kites. Emre ships off 9 kites, which Fatima receives a week later. By winter, Emre has three times as many kites. A year later, Emre has 3 times as many kites. Emre earns 6 kites for washing the car of Fatima. Emre throws away 7 damaged kites. For a birthday, the guests bring Emre 20 kites. How many kites does Emre have now?", "answer": 109, "steps": 6}'
problem_243='{"task": "arithmetic", "question": "Rosa has 21 envelopes. By winter, Rosa has three times as many envelopes. At a yard sale, 13 of the envelopes are sold to Sofia. Sofia has 48 envelopes, so Rosa and Sofia put everything together and share equally. Sofia needs 6 envelopes for a school project, and Rosa lends them. Find the number of envelopes that Rosa has in the end.", "answer": 43, "steps": 4}'
problem_134='{"task": "arithmetic", "question": "Hugo starts the week with 92 badges. Hugo holds on to a quarter of the badges and lets the others go. Felix counts the badges that Hugo has and adds just as many. A parcel with 7 badges arrives for Hugo. It goes so well that Hugo ends up with three times as many badges. At a yard sale, 3 of the badges are sold to Felix. After all this, Hugo has how many badges?", "answer": 156, "steps": 5}'

record 1-two-wordings-collide wino "$problem_33" \
  'Two wordings collide' \
  'Parallel drafts take words and digits from two different sentences. The shadow block finds the ones that do not fit, and takes them back.'
record 2-a-wrong-number-is-taken-back wino "$problem_185" \
  'A wrong number is taken back' \
  'The last lines are drafted before the sums they depend on are settled: a digit goes in wrong and is revoked one pass later.'
record 3-a-sentence-is-rewritten wino "$problem_243" \
  'A whole sentence is rewritten' \
  'It begins in one wording and ends in another: nine tokens go back before it reads as one.'
record 4-one-token-at-a-time standard "$problem_33" \
  'The first example, one token at a time' \
  'Standard decoding of the first example: 128 passes for 128 tokens, and nothing is ever taken back.'
record 5-drafting-without-verification threshold:tau=0.6 "$problem_33" \
  'The first example, drafts never verified' \
  'The same drafts above 0.6, but no shadow block: fewer passes, and what collides stays.'
record 6-wino-gets-one-wrong wino "$problem_134" \
  'WINO gets one wrong' \
  'It takes back many tokens and still ends with a wrong number: verification asks whether a token fits, not whether it is true.'

# Compare opens with this one beside the first and the fifth.
if [ -d assets/models/llada-mini-wino-plus ]; then
  record 7-wino-plus threshold "$problem_33" \
    'The first example, by WINO+' \
    'A model trained on the order in which WINO placed its tokens decodes by a plain threshold: no shadow block, and nothing is taken back.' \
    llada-mini-wino-plus
fi

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

picture 1-five-objects-at-once validation 13 captions wino \
  'Five objects, drafted together' \
  'Sizes, colours and shapes of several objects are drafted in one pass; those that do not fit each other are taken back.'
picture 2-which-object-next validation 6 captions wino \
  'Which object comes next?' \
  'The sentence stands early; what it says of each object is drafted, judged against the picture, and drafted again.'
picture 3-one-token-at-a-time validation 13 captions standard \
  'The first picture, one token at a time' \
  'Standard decoding of the first picture: 64 passes for 64 tokens, and nothing is ever taken back.'
picture 4-a-question validation 0 questions wino \
  'A question with a short answer' \
  'A few words, and end of text for the rest: three or four passes.'
picture 5-a-pair-never-shown test 9 captions wino \
  'A pair of shape and colour that was never shown' \
  'No picture in training had a purple circle. The model saw other purple things and other circles, and has to put the two together.'
picture 6-a-pair-it-misses test 43 captions wino \
  'A pair never shown, and missed' \
  'No picture in training had a red moon, and the model calls this one orange. Its shadow block does not doubt it: verification asks the same eyes.'
