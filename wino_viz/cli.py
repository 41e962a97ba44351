"""The command line: decode a prompt, take its trace along, evaluate decoders on problems, measure speed.

    python -m wino_viz decode --decoder wino --prompt "Ana has 30 cards. Ana gives 12 cards to Omar. How many …?"
    python -m wino_viz decode --image scene.png --prompt "How many stars are there?" --trace trace.json --words
    python -m wino_viz branch trace.json --after 3 --put "17=2" --decoder standard
    python -m wino_viz export trace.json --to trace.gif
    python -m wino_viz eval --decoders standard,wino:tau1=0.6:tau2=0.9 --data problems.jsonl --out result.json
    python -m wino_viz bench

`decode` prints the answer to standard output and the figures to standard error. Bad input ends with exit code 2 and one
line that says which value is wrong and what is allowed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wino_viz.arguments import Parser
from wino_viz.bench_command import add_bench
from wino_viz.branch_command import add_branch
from wino_viz.decoding import DECODERS
from wino_viz.decoding.controls import END_OF_TEXT, FREE
from wino_viz.export_command import add_export
from wino_viz.files import check_writable
from wino_viz.loading import PROG, READS, SEES, bar, loader, model_option, reuse_option, set_up_cuda
from wino_viz.plus import usual_spec
from wino_viz.serve_command import add_serve
from wino_viz.session import Session, WordFromPicture
from wino_viz.turns import Turns, goes_on

if TYPE_CHECKING:
    from wino_viz.models.checkpoint import Checkpoint
    from wino_viz.trace import Trace

PROBABILITY_DECIMALS = 6
REUSED = "prefix reuse, which may choose other tokens"
RECORD = '{"task": "countdown", "numbers": [30, 100, 93], "target": 23}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    set_up_cuda()
    try:
        return options.run(options, arguments)
    except (ValueError, OSError) as error:
        print(f"{PROG} {options.command}: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser, metavar="COMMAND")

    decode = commands.add_parser("decode", help="decode one prompt", description="Decode one prompt.")
    decode.set_defaults(run=run_decode)
    model_option(decode)
    _picture_options(decode)
    decode.add_argument(
        "--decoder", metavar="SPEC", help=f"{', '.join(DECODERS)} (default: wino; for a WINO+ model threshold)"
    )
    _preset_option(decode)
    reuse_option(decode)
    decode.add_argument("--tau1", type=float, help="WINO drafts above this confidence, 0 to 1")
    decode.add_argument("--tau2", type=float, help="WINO re-masks below this verification probability, 0 to 1")
    decode.add_argument("--gen-length", type=int, help="tokens to generate")
    decode.add_argument("--block-length", type=int, help="tokens per block; must divide gen-length")
    decode.add_argument("--temperature", type=float, default=0.0, help="0 (default) is exact arg-max")
    decode.add_argument("--seed", type=int, default=0, help="of sampling and of random re-masking")
    decode.add_argument(
        "--fixed",
        default="",
        metavar="WORDS",
        help="words that stand from the start, by position from 0: 0:Once, 5:upon",
    )
    decode.add_argument(
        "--end-of-text",
        choices=END_OF_TEXT,
        default=FREE,
        help="against a flood of it: last (LLaDA's confidence_eos_eot_inf) or never (logits_eos_inf)",
    )
    decode.add_argument(
        "--cfg-scale",
        type=float,
        default=0.0,
        help="classifier-free guidance; 0 (default) is off, more costs two passes",
    )
    what = decode.add_mutually_exclusive_group()
    what.add_argument("--prompt", help="the problem, in words (default with --image: a request for a caption)")
    what.add_argument("--record", metavar="JSON", help="a problem record of any task, such as " + RECORD)
    decode.add_argument(
        "--after", type=Path, metavar="TRACE.json", help="go on with the conversation that this trace holds"
    )
    decode.add_argument("--image", type=Path, metavar="FILE", help="the picture that the prompt is about")
    decode.add_argument("--seen", type=Path, metavar="OUT.png", help="write the picture as the model saw it")
    decode.add_argument("--words", action="store_true", help="keep in the trace which words come from the picture")
    decode.add_argument("--trace", type=Path, metavar="OUT.json", help="write the whole trace to this file")
    decode.add_argument("--title", help="title to keep in the trace")
    decode.add_argument("--note", help="what the trace shows, to keep in it")

    add_branch(commands)
    add_export(commands)
    add_serve(commands)

    evaluate = commands.add_parser("eval", help="decoders × problems", description="Evaluate decoders on problems.")
    evaluate.set_defaults(run=run_eval)
    model_option(evaluate)
    _picture_options(evaluate)
    evaluate.add_argument("--decoders", required=True, metavar="SPEC,SPEC", help="such as standard,wino:tau1=0.6")
    _preset_option(evaluate)
    reuse_option(evaluate)
    evaluate.add_argument("--data", required=True, type=Path, metavar="FILE.jsonl", help="problem records, one a line")
    evaluate.add_argument("--limit", type=int, help="only the first so many problems")
    evaluate.add_argument("--gen-length", type=int, help="tokens to generate (default: the model's preset)")
    evaluate.add_argument("--block-length", type=int, help="tokens per block (default: the model's preset)")
    evaluate.add_argument("--in-flight", type=int, metavar="N", help="problems in one batch (default: 16; on a CPU 1)")
    evaluate.add_argument(
        "--out", type=Path, metavar="OUT.json", help="write rows and items to this file; a run that was stopped goes on"
    )
    evaluate.add_argument("--restart", action="store_true", help="drop what an unfinished run left beside OUT.json")
    add_bench(commands)
    return parser


def _preset_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset", metavar="NAME", help="settings of a task as in the paper, such as gsm8k (of an 8B model)"
    )


def _picture_options(parser: argparse.ArgumentParser) -> None:
    """How a model that sees is loaded; what is not named here is the model's own."""
    parser.add_argument(
        "--image-tokenizer", metavar="FOLDER", help="MAGVIT-v2 (default: image_tokenizer/ of the model)"
    )
    parser.add_argument("--layout", metavar="NAME", help="how picture and words stand in the prompt (default: demo)")


def _loader(options: argparse.Namespace) -> Callable[[str], Checkpoint]:
    """How a model is loaded, with the options about pictures where the command has them."""
    eyes, layout = (getattr(options, name, None) for name in ("image_tokenizer", "layout"))
    return loader(options.dtype, options.device_map, bar(), eyes, layout, getattr(options, "reuse", False))


# ---- decode


def run_decode(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from wino_viz.pictures import open_named

    for path in (options.trace, options.seen):
        check_writable(path)
    prompt, problem, file = _asked(options)
    task = problem["task"] if problem else _task_of(prompt, file)
    if file is None and (options.seen or options.words):
        raise ValueError(f"{'--seen' if options.seen else '--words'} goes with a picture: --image FILE")
    if options.seen and options.trace and options.seen.resolve() == options.trace.resolve():
        raise ValueError("--trace and --seen name the same file")
    for name in ("seen", "trace"):
        target = getattr(options, name)
        if file and target and target.resolve() == file.resolve():
            raise ValueError(f"--{name} {target} would overwrite the picture")
        if options.after and target and target.exists() and options.after.exists() and target.samefile(options.after):
            raise ValueError(f"--{name} {target} would overwrite the trace that it goes on with")
    if options.words and not options.trace:
        raise ValueError("--words goes with --trace OUT.json, the file that keeps them")
    image = None if file is None else open_named(file)
    model = options.model or (SEES if image else READS)
    before, earlier = _conversation(options.after, model) if options.after else (None, ())
    session = Session(model, _loader(options), task)
    if options.preset:
        session.named_preset(options.preset)
    settings = session.parse(options.decoder or usual_spec(session.model), options.preset)
    for name in ("tau1", "tau2"):
        if (value := getattr(options, name)) is not None:
            if not hasattr(settings, name):
                raise ValueError(f"--{name} goes with the decoder wino, not with {settings.name}")
            settings = replace(settings, **{name: value})
    picture = session.see(image) if image else None
    if before and picture and not session.shows(before, picture):
        raise ValueError(f"--after {options.after} is about another picture than --image {file}")
    decoding = session.start(
        prompt,
        settings,
        picture=picture,
        earlier=earlier,
        gen_length=options.gen_length,
        block_length=options.block_length,
        temperature=options.temperature,
        seed=options.seed,
        record=problem,
        preset=options.preset,
        fixed=options.fixed,
        end_of_text=options.end_of_text,
        cfg_scale=options.cfg_scale,
    )
    for _ in decoding:
        pass
    trace = decoding.trace()
    print(trace.text)
    seconds = trace.timing["model_seconds"]
    count = trace.forward_passes
    figures = (
        f"{count} forward pass{'' if count == 1 else 'es'} · {trace.tokens_per_pass:.1f} tokens per pass · "
        f"{trace.revocations} revocation{'' if trace.revocations == 1 else 's'} · "
        f"{seconds:.2f} s model time ({trace.gen_length / seconds:.0f} tokens/s)"
    )
    print(figures, file=sys.stderr)
    _say_reused(options)
    if (verdict := decoding.verdict())["correct"] is not None:
        print(verdict["text"], file=sys.stderr)
    if options.seen:
        decoding.picture.seen.save(options.seen, "PNG")
    if options.trace:
        extra: dict[str, Any] = {"command": f"{PROG} {shlex.join(arguments)}"}
        extra |= {key: getattr(options, key) for key in ("title", "note") if getattr(options, key)}
        extra |= {"image": file.name} if file else {}
        extra |= {"seen": options.seen.name} if options.seen else {}
        extra |= {"record": problem} if problem else {}
        extra |= {"preset": options.preset} if options.preset else {}
        extra |= {"approximate": REUSED} if options.reuse else {}
        extra |= {"words": [_row(word) for word in decoding.words_from_picture()]} if options.words else {}
        text = replace(trace, extra={**trace.extra, **extra}).to_json() + "\n"
        options.trace.write_text(text, encoding="utf-8")
    return 0


def _conversation(file: Path, model: str) -> tuple[Trace, Turns]:
    """The trace of --after, and the conversation that it holds."""
    from wino_viz.export import read_trace

    try:
        trace = read_trace(file)
        return trace, goes_on(trace, model)
    except ValueError as error:
        raise ValueError(f"--after {file}: {error}") from None


def _asked(options: argparse.Namespace) -> tuple[str, dict[str, Any] | None, Path | None]:
    """The prompt, the problem record that it comes from, and the file of the picture that it is about."""
    from wino_viz.tasks.registry import TASKS, prompt_of, read_record
    from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS

    if options.record is None:
        if options.prompt is None and options.image is None:
            raise ValueError("one of the arguments --prompt --record --image is required")
        return CAPTION_PROMPTS[0] if options.prompt is None else options.prompt, None, options.image
    problem = read_record(options.record, "--record")
    if not TASKS[problem["task"]].has_image:
        if options.image:
            raise ValueError(f"--image goes with a record about a picture, not with task {problem['task']}")
        return prompt_of(problem), problem, None
    file = options.image or Path(problem["image"])
    return prompt_of(problem), {**problem, "image": str(file)}, file


def _task_of(prompt: str, file: Path | None) -> str:
    """Whose preset suits a prompt that comes without a record."""
    from wino_viz.problems import known_problem
    from wino_viz.tasks.scenes_wording import CAPTION_PROMPTS

    if file is None:
        return known_problem(prompt, None)["task"]
    return "caption" if prompt.strip() in CAPTION_PROMPTS else "vqa"


def _row(word: WordFromPicture) -> list[Any]:
    """[position, id, piece, probability with the picture, probability with a blank one]."""
    return [*word[:3], *(round(share, PROBABILITY_DECIMALS) for share in word[3:])]


# ---- eval


def run_eval(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from wino_viz.evaluation import (
        CONFIDENCE_LEVEL,
        Evaluation,
        Progress,
        Unfinished,
        read_records,
        report,
        usual_in_flight,
        write_whole,
    )
    from wino_viz.provenance import shown_path
    from wino_viz.tasks.registry import TASKS

    for name in ("limit", "in_flight"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, not {value}")
    if options.restart and not options.out:
        raise ValueError("--restart goes with --out OUT.json, the file of the run that is to start again")
    check_writable(options.out)
    if options.out and options.out.exists() and (not options.out.is_file() or options.out.samefile(options.data)):
        raise ValueError(f"--out {options.out} is the file of problems, or a device: name a file of its own")
    records = read_records(options.data, options.limit)
    specs = [spec.strip() for spec in options.decoders.split(",")]
    model = options.model or (SEES if TASKS[records[0]["task"]].has_image else READS)
    checkpoint = _loader(options)(model)
    lengths = {"gen_length": options.gen_length, "block_length": options.block_length}
    evaluation = Evaluation.of(checkpoint, specs, records, **lengths, preset=options.preset)
    in_flight = options.in_flight or usual_in_flight(checkpoint.denoiser.device.type)
    if options.out is None:
        with Progress() as progress:
            print(report(evaluation.result(evaluation.run(in_flight, progress=progress))))
        _say_reused(options)
        return 0

    about = _about_eval(options, arguments, model, checkpoint) | {"in_flight": in_flight}
    same = {"weights": about["weights_sha256"], "device": about["device"], **evaluation.identity()}
    same |= {"approximate": REUSED} if options.reuse else {}
    unfinished = Unfinished(options.out, same, about)
    if options.restart:
        unfinished.remove()
    kept = unfinished.resume()
    if kept:
        print(f"going on: {len(kept)} of {len(specs) * len(records)} are measured", file=sys.stderr)
    try:
        with Progress() as progress:
            items = evaluation.run(in_flight, kept=kept, on_item=unfinished.add, progress=progress)
    except KeyboardInterrupt:
        print("the same command will go on from here", file=sys.stderr)
        raise
    finally:
        unfinished.save()
    result = evaluation.result(items)
    head = {"model": shown_path(model), "data": shown_path(options.data), **about, "n": len(records)}
    head |= {"lengths": evaluation.lengths(), "confidence_level": CONFIDENCE_LEVEL}
    head |= {"earlier_runs": unfinished.earlier_runs} if unfinished.earlier_runs else {}
    write_whole(options.out, json.dumps({**head, **result}, indent=1, ensure_ascii=False))
    unfinished.remove()
    print(report(result))
    _say_reused(options)
    return 0


def _say_reused(options: argparse.Namespace) -> None:
    if options.reuse:
        print(f"Approximate: {REUSED}.", file=sys.stderr)


def _about_eval(
    options: argparse.Namespace, arguments: Sequence[str], model: str, checkpoint: Checkpoint
) -> dict[str, Any]:
    """Where an evaluation's figures come from."""
    from wino_viz.models.checkpoint import find_model
    from wino_viz.models.mmada import TOKENIZER_FOLDER
    from wino_viz.provenance import commit, file_checksum, machine, shown_command, versions, weights_checksum

    folder = find_model(model)
    eyes = Path(options.image_tokenizer or folder / TOKENIZER_FOLDER)
    return {
        "command": shown_command(PROG, arguments),
        "commit": commit(),
        "weights_sha256": weights_checksum(folder),
        **({"image_tokenizer_sha256": weights_checksum(eyes)} if checkpoint.reader is not None else {}),
        "data_sha256": file_checksum(options.data),
        **machine(checkpoint.denoiser.device),
        "dtype": str(checkpoint.denoiser.model.dtype).removeprefix("torch."),
        **({"approximate": REUSED} if options.reuse else {}),
        "versions": versions(),
    }


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
