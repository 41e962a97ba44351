"""The whole WINO rule once more, slowly: plain lists and loops, written from the published description alone.

It imports nothing, so that it can share no mistake with `wino_viz.decoding.wino`. One decoding is a list of passes
{"drafted": [(position, token, confidence)], "verified": [(position, probability)], "remasked": [(position, token,
probability)], "limits": [name]} and the final canvas.
"""

MASKED = None


def decode(
    script,
    gen_length,
    block_length,
    tau1,
    tau2,
    draft_floor=5,
    draft_cap=20,
    draft_share=0.7,
    first_remask_limit=30,
):
    """script(pass number from 0, position, is_shadow) -> (token, probability); returns (passes, canvas)."""
    canvas = [MASKED] * gen_length
    passes = []
    for block_start in range(0, gen_length, block_length):
        block_end = block_start + block_length
        candidates = list(range(block_start, block_end))
        verifiable = []
        last_accept = first_remask_limit
        while candidates:
            drafts, confidences, judged = one_pass(script, len(passes), candidates, verifiable)
            failing = [position for position in verifiable if judged[position] < tau2]
            limits = []

            # How many may be drafted.
            most = int(draft_share * len(candidates))
            if most < draft_floor:
                most = draft_floor
            if most > draft_cap:
                most = draft_cap

            # Which are: above tau1, else the best one; the best ones where they are too many.
            accepted = [position for position in candidates if confidences[position] > tau1]
            if len(accepted) > most:
                accepted = best(accepted, confidences, most)
                limits.append("draft_cap")
            if not accepted:
                accepted = best(candidates, confidences, 1)
                limits.append("forced_draft")

            # Which are taken back.
            revoked = []
            if len(accepted) > 1:
                revoked = failing
                if len(failing) >= last_accept:
                    revoked = worst(failing, judged, last_accept - 1)
                    limits.append("remask_limit")
            elif failing:
                limits.append("single_draft")

            passes.append(
                {
                    "drafted": [(p, drafts[p], confidences[p]) for p in sorted(accepted)],
                    "verified": [(p, judged[p]) for p in sorted(verifiable)],
                    "remasked": [(p, canvas[p], judged[p]) for p in sorted(revoked)],
                    "limits": limits,
                }
            )
            for position in accepted:
                canvas[position] = drafts[position]
            for position in revoked:
                canvas[position] = MASKED
            candidates = sorted([p for p in candidates if p not in accepted] + revoked)
            verifiable = sorted([p for p in verifiable if p not in revoked] + accepted)
            last_accept = len(accepted)
    return passes, canvas


def one_pass(script, number, candidates, verifiable):
    """What the model says: tokens and confidences of the candidates, and verdicts on the placed tokens."""
    drafts, confidences, judged = {}, {}, {}
    for position in candidates:
        drafts[position], confidences[position] = script(number, position, False)
    for position in verifiable:
        _, judged[position] = script(number, position, True)
    return drafts, confidences, judged


def best(positions, confidences, count):
    """The `count` positions of highest confidence, picked one by one; the first of equals."""
    left, picked = sorted(positions), []
    while len(picked) < count:
        highest = left[0]
        for position in left:
            if confidences[position] > confidences[highest]:
                highest = position
        left.remove(highest)
        picked.append(highest)
    return picked


def worst(positions, judged, count):
    """The `count` positions of lowest probability, picked one by one; the first of equals."""
    left, picked = sorted(positions), []
    while len(picked) < count:
        lowest = left[0]
        for position in left:
            if judged[position] < judged[lowest]:
                lowest = position
        left.remove(lowest)
        picked.append(lowest)
    return picked
