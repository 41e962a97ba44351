"""Distil WINO into a model (WINO+, arXiv 2605.16941): from trajectories, so that it needs no shadow block.

    python -m wino_viz.training.distill --model llada-mini --trajectories runs/trajectories.jsonl.gz --out runs/lora \
        --lora 32 --lora-targets q_proj,k_proj,v_proj,up_proj,o_proj,gate_proj,down_proj --steps 400 --batch 192 \
        --learning-rate 5e-4 --skip-ends --keep-share 0.5 --probe-every 200
    python -m wino_viz.training.distill --model GSAI-ML/LLaDA-8B-Instruct --trajectories runs/gsm8k.jsonl.gz --out runs/lora \
        --lora 128 --dtype bfloat16 --steps 3000 --batch 1 --accumulate 8 --learning-rate 2e-5 --schedule constant
    torchrun --nproc-per-node 2 -m wino_viz.training.distill …   # or accelerate launch --multi_gpu --num_processes 2 -m …

The weights of the three terms are the published ones unless said otherwise (`distill_losses.py`). Alone they can ruin a
small model's standard decoding; --keep-share gives that share of the steps to the ordinary masked-diffusion loss (LLaDA, arXiv
2502.09992), on worked answers of --keep-task, or on the trajectories' own answers. --all-weights writes a model to OUT,
--lora an adapter (`merge.py` makes a model of it); OUT/distill.json tells settings, losses and probes. Every process takes
--batch examples of its own. A probe decodes validation problems of every task, without a shadow block unless asked to.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from accelerate import Accelerator

from wino_viz.arguments import Parser, whole
from wino_viz.decoding import parse_spec
from wino_viz.decoding.base import MAX_SEED
from wino_viz.evaluation import read_records, usual_in_flight, write_whole
from wino_viz.models.adapter import is_adapter
from wino_viz.models.checkpoint import DREAM, Checkpoint, find_model, load_checkpoint
from wino_viz.models.denoiser import Speed
from wino_viz.provenance import commit, file_checksum, machine, shown_command, shown_path, versions, weights_checksum
from wino_viz.training.distill_adapter import add_lora, save_adapter
from wino_viz.training.distill_batches import Examples, Texts
from wino_viz.training.distill_loop import Probe, Run, Schedule
from wino_viz.training.distill_losses import Weights
from wino_viz.training.distill_recipe import ALL_TARGETS, LORA_TARGETS, SCHEDULES, Recipe
from wino_viz.training.merge import check_out, write_checkpoint
from wino_viz.training.trajectories import DTYPES, MADE_HERE, made_problems
from wino_viz.training.trajectories_records import read_trajectories

PROG = "python -m wino_viz.training.distill"
PROBE_SEED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Distil. Returns 0; bad arguments exit with 2 and one line."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        run(options, arguments)
    except (ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    return 0


def run(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    recipe, weights = _recipe(options), _weights(options)
    base = find_model(options.model)
    check_out(base, options.out)
    if is_adapter(base):
        raise ValueError(f"--model {options.model} is an adapter: merge it first, and go on from the merged model")
    if recipe.lora == 0 and options.dtype != "float32":
        raise ValueError("--dtype bfloat16 goes with --lora: all weights are trained in float32")
    specs = options.probe_decoders.split(",")
    for spec in specs:
        parse_spec(spec)
    on_gpu = torch.cuda.is_available() and not options.cpu
    accelerator = Accelerator(mixed_precision="bf16" if on_gpu else "no", cpu=not on_gpu)
    torch.manual_seed(recipe.seed)
    checkpoint = load_checkpoint(options.model, str(accelerator.device), DTYPES[options.dtype], speed=Speed())
    if checkpoint.family == DREAM:
        raise ValueError(
            f"--model {options.model} predicts the next position: WINO+ is trained on LLaDA and MMaDA only"
        )
    trajectories = read_trajectories(options.trajectories, checkpoint.denoiser.model.config.vocab_size)
    _check_lengths(trajectories, checkpoint)
    if recipe.random_order:
        trajectories = [one.in_random_order(recipe.seed) for one in trajectories]
    pad_id = checkpoint.tokenizer.eos_token_id
    examples = Examples(trajectories, checkpoint.mask_id, pad_id, recipe.seed, recipe.skip_ends)
    texts = Texts(checkpoint, trajectories, recipe.keep_tasks, recipe.seed)
    if options.probe_data:
        records = read_records(options.probe_data, options.probe_count)
    else:
        tasks = sorted({one.source for one in trajectories} & set(MADE_HERE))
        records = made_problems(tasks, "validation", options.probe_count, PROBE_SEED)
    in_flight = options.in_flight or usual_in_flight(accelerator.device.type)
    wrapped, lora = add_lora(checkpoint.denoiser.model, recipe) if recipe.lora else (None, None)
    schedule = Schedule(recipe, examples, texts, accelerator.process_index, accelerator.num_processes)
    probe = Probe(checkpoint, records, specs, in_flight)
    training = Run(recipe, weights, checkpoint, accelerator, schedule, probe)
    count = sum(p.numel() for p in checkpoint.denoiser.model.parameters() if p.requires_grad)
    accelerator.print(
        f"{len(trajectories)} trajectories, {len(examples)} examples, {count:,} weights in training, "
        f"{accelerator.num_processes} process(es) on {accelerator.device.type}",
        flush=True,
    )
    steps = training.train(
        report_every=options.report_every,
        probe_every=options.probe_every,
        stop_after=options.stop_after,
        workers=options.workers,
        compiled=options.compile,
    )
    if accelerator.is_main_process:
        options.out.mkdir(parents=True, exist_ok=True)
        if wrapped is None:
            write_checkpoint(checkpoint.denoiser.model, base, options.out)
        else:
            save_adapter(wrapped, lora, options.model, options.out)
        about = {
            "command": shown_command(PROG, arguments),
            "commit": commit(),
            **machine(accelerator.device),
            "processes": accelerator.num_processes,
            "versions": versions() | {name: version(name) for name in ("peft", "accelerate")},
            "model": shown_path(options.model),
            "weights_sha256": weights_checksum(base),
            "trajectories": {shown_path(path): file_checksum(path) for path in options.trajectories},
            "recipe": asdict(recipe),
            "weights": asdict(weights),
            "steps_taken": steps,
            "reports": training.reports,
            "probes": training.probes,
        }
        write_whole(options.out / "distill.json", json.dumps(about, indent=1))
    accelerator.wait_for_everyone()
    accelerator.end_training()


def _check_lengths(trajectories: Sequence, checkpoint: Checkpoint) -> None:
    for one in trajectories:
        length = len(one.prompt_ids) + len(one.generated_ids)
        if length > checkpoint.context:
            raise ValueError(
                f"trajectory {one.unique_id} has {length} tokens, the context of {checkpoint.name} is {checkpoint.context}"
            )


def _parser() -> Parser:
    parser = Parser(prog=PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual, weights = Recipe(steps=1), Weights()
    parser.add_argument("--model", required=True, metavar="M", help="embedded model or folder")
    parser.add_argument("--trajectories", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--lora", type=whole(1, 4096), metavar="R", help="train an adapter of this rank")
    which.add_argument("--all-weights", action="store_true", help="train the whole model")
    parser.add_argument("--lora-alpha", type=float, help="default: the rank")
    parser.add_argument("--lora-dropout", type=float, default=usual.lora_dropout)
    parser.add_argument(
        "--lora-targets", default=",".join(LORA_TARGETS), metavar="NAME,NAME", help=", ".join(ALL_TARGETS)
    )
    parser.add_argument("--tok-weight", type=float, default=weights.tok, help="of L_tok (ce); default: 1")
    parser.add_argument("--sharp-weight", type=float, default=weights.sharp, help="of L_sharp (unmask); default: 0.1")
    parser.add_argument(
        "--defer-weight", "--deferral-weight", type=float, default=weights.defer, help="of L_defer (remask); default: 1"
    )
    parser.add_argument("--sharp-below", type=float, default=weights.sharp_below, help="confidence; default: 0.9")
    parser.add_argument("--defer-above", type=float, default=weights.defer_above, help="confidence; default: 0.6")
    parser.add_argument("--keep-share", type=float, default=0.0, help="of steps with the ordinary loss; default: 0")
    parser.add_argument("--keep-task", default="", metavar="T,T", help=f"on problems of {', '.join(MADE_HERE)}")
    parser.add_argument("--keep-power", type=float, default=1.0, help="of their mask ratios (pretrain's --mask-power)")
    parser.add_argument("--skip-ends", action="store_true", help="leave out passes that placed end-of-text alone")
    parser.add_argument("--random-order", action="store_true", help="the ablation: passes drawn anew in each block")
    parser.add_argument("--steps", type=whole(1, 10**7), required=True)
    parser.add_argument("--batch", type=whole(1, 65536), default=usual.batch, help="examples per process; default: 64")
    parser.add_argument("--accumulate", type=whole(1, 65536), default=1, help="batches per step; default: 1")
    parser.add_argument("--learning-rate", type=float, default=usual.learning_rate, help="default: 1e-4")
    parser.add_argument("--warmup-steps", type=whole(0, 10**6), default=usual.warmup_steps, help="default: 20")
    parser.add_argument("--schedule", choices=SCHEDULES, default=usual.schedule)
    parser.add_argument("--weight-decay", type=float, default=usual.weight_decay, help="default: 0.01")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="of the frozen weights; bfloat16 for 8B models"
    )
    parser.add_argument("--seed", type=whole(0, MAX_SEED), default=0)
    parser.add_argument("--report-every", type=whole(1, 10**6), default=50)
    parser.add_argument("--probe-every", type=whole(0, 10**6), default=0, help="steps; 0: before and after only")
    parser.add_argument("--probe-count", type=whole(1, 10**5), default=64, help="problems per task, or of --probe-data")
    parser.add_argument("--probe-decoders", default="threshold:tau=0.6,standard", metavar="SPEC,SPEC")
    parser.add_argument("--probe-data", type=Path, metavar="FILE.jsonl", help="instead of problems made here")
    parser.add_argument("--in-flight", type=whole(1, 4096), metavar="N", help="problems of a probe in one batch")
    parser.add_argument("--stop-after", type=float, default=0, metavar="SECONDS", help="save what there is by then")
    parser.add_argument("--workers", type=whole(0, 256), default=0, help="processes that make batches")
    parser.add_argument("--compile", action="store_true", help="compile the layers (worth it above some 300 steps)")
    parser.add_argument("--cpu", action="store_true", help="also where there is a GPU")
    return parser


def _recipe(options: argparse.Namespace) -> Recipe:
    given = {name: getattr(options, name) for name in asdict(Recipe(steps=1)) if hasattr(options, name)}
    given["lora"] = options.lora or 0
    given["lora_targets"] = tuple(options.lora_targets.split(","))
    given["keep_tasks"] = tuple(options.keep_task.split(",")) if options.keep_task else ()
    return Recipe(**given)


def _weights(options: argparse.Namespace) -> Weights:
    return Weights(
        options.tok_weight, options.sharp_weight, options.defer_weight, options.sharp_below, options.defer_above
    )


if __name__ == "__main__":
    sys.exit(main())
