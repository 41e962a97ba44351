#!/usr/bin/env bash
# Record the traces of the lessons and of the cases that are not among the examples (record.sh). Each keeps its command. What is
# said of them is in assets/lessons/*.json and assets/cases/cases.json; tests hold the words to the traces.
#     examples/record_lessons.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python}
mkdir -p assets/lessons/traces assets/cases/traces

record() { # FILE SPEC RECORD [MORE OPTIONS]
  echo "$1" >&2
  "$python" -m wino_viz decode --model llada-mini --decoder "$2" --record "$3" --trace "assets/$1.json" "${@:4}"
}

# One event, in as few tokens as it needs, so that all of it is in view.
rosa='{"task": "arithmetic", "question": "Rosa has 30 cards. Rosa gives 12 cards to Omar. How many cards does Rosa have now?", "answer": 18}'
# Test problem 126 of wino_viz.tasks.arithmetic with --count 500 --seed 0, as examples/traces/2-right-where-one-at-a-time-is-wrong
problem_126='{"task": "arithmetic", "question": "At first, the collection of Kwame has 103 candles. A charity collects 11 of the candles from Kwame. Through a hole in a bag, 8 candles fall out and are never seen again. A storm carries off three quarters of the candles. The candles are split evenly into 3 groups, and Kwame keeps just one group. A parcel with 15 candles arrives for Kwame. Kwame gives half of the candles to Aisha. What is the final count of candles for Kwame?", "answer": 11, "steps": 6}'
# Found by: python examples/find_cases.py --task arithmetic --count 12 --seed 7 (problems 7 and 11), and --task countdown (91);
# with --property planted problem 1
amara='{"task": "arithmetic", "question": "Let us say that Amara has 86 photos. In a swap with Greta, Amara hands over 27 photos and gets 85. Amara gives a third of the photos to Greta. A storm carries off three quarters of the photos. A thief steals 10 photos from Amara. Find the number of photos that Amara has in the end.", "answer": 14, "steps": 4}'
clara='{"task": "arithmetic", "question": "Clara has 84 vases. In a swap with Petra, Clara hands over 12 vases and gets 3. A year later, Clara has 5 times as many vases. Clara buys 4 boxes of 20 vases each. After all this, Clara has how many vases?", "answer": 455, "steps": 3}'
countdown_91='{"task": "countdown", "numbers": [11, 66, 60], "target": 66}'
sofia='{"task": "arithmetic", "question": "Sofia starts the week with 94 balls. A package for Elena leaves with 11 of the balls inside. Sofia finds 5 more balls under the bed. Sofia holds on to a quarter of the balls and lets the others go. How many balls does Sofia have now?", "answer": 22, "steps": 3}'

record lessons/traces/rosa-one-at-a-time standard "$rosa" --gen-length 32 --block-length 32
record lessons/traces/rosa-wino wino "$rosa" --gen-length 32 --block-length 32
record cases/traces/kwame-one-at-a-time standard "$problem_126"
record cases/traces/amara-limits wino "$amara"
record cases/traces/clara-a-wrong-digit wino "$clara"
record cases/traces/countdown-a-false-alarm wino "$countdown_91"

# A decoding, and twice the same from its second pass on, where the 83 of 94-11=83 is made 82 by hand: once by each decoder.
record cases/traces/sofia wino "$sofia"
for decoder in standard wino; do
  "$python" -m wino_viz branch assets/cases/traces/sofia.json --after 2 --put 17=2 --decoder "$decoder" \
    --trace "assets/cases/traces/sofia-planted-$decoder.json"
done
