"""Pretrain the embedded model: masked diffusion as in LLaDA, on problems made while it trains.

    python -m wino_viz.training.pretrain --out runs/mini --steps 12000 --workers 14                      # one GPU
    torchrun --nproc-per-node 2 -m wino_viz.training.pretrain …           # two GPUs, each with --batch-tokens of its own
    python -m wino_viz.training.pretrain --out runs/toy --steps 20 --batch-tokens 4096 --d-model 64 --layers 2  # a laptop

Tokens are masked with probability t, t uniform per sequence; the loss of a masked token is weighted 1/t (LLaDA,
arXiv 2502.09992, section 2). As there, the first part of a run masks the whole sequence (pretraining), the rest only
the answer (fine-tuning): names occur many times in a question, so copying them is practised there first. `--mask-power 2`
draws t with density 2t: a countdown is decided while all of its answer is masked, and of sequences masked with uniform t
few are, for any digit left gives the rest away. `--masked-tails 0.5` masks half of the sequences from a random place to
their end: so they look in decoding, where all blocks to come are masked. With t alone some of the end-of-text tokens
nearly always show, and tell how long an answer is.

Batches are functions of (seed, step), so a run resumed from its checkpoint goes on where it stopped, and one seed gives
one run (up to a kernel's rounding). It may be resumed with other --steps, to end where the time ends: the learning rate
then goes on along the other curve. What they hold is the corpus: word_problems.py here, pretrain_pictures.py for the
model that sees.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, Subset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from wino_viz.arguments import Parser, whole
from wino_viz.models.checkpoint import load_tokenizer
from wino_viz.models.llada import load_model, new_model, save_model
from wino_viz.training import tokenizer as tokens
from wino_viz.training.probe import decode_texts as decode_texts  # the corpora's probes import it from here
from wino_viz.training.processes import agreed, average_gradients, first_process, join_processes
from wino_viz.training.word_problems import SHORT_EVERY, WordProblems, check_tokenizer

MIN_MASK_RATIO = 1e-3  # keeps the weight 1/t finite; LLaDA's value
VOCABULARY, TOKENIZER_EXAMPLES = 1536, 60_000
STEPS_PER_VOTE = 10


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a run. Sizes in tokens; rates per step.

    mask_power: above 0; the mask ratio t has the density mask_power · t^(mask_power − 1).
    masked_tails: 0..1, the share of sequences that are masked from a random place to their end.
    """

    steps: int
    batch_tokens: int = 172_032
    d_model: int = 384
    layers: int = 8
    heads: int = 6
    mlp: int = 1024
    learning_rate: float = 1.5e-3
    warmup_steps: int = 300
    pretraining_share: float = 0.25
    mask_power: float = 1.0
    masked_tails: float = 0.0
    weight_decay: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.mask_power > 0:
            raise ValueError(f"mask_power must be above 0, not {self.mask_power}")
        if not 0 <= self.masked_tails <= 1:
            raise ValueError(f"masked_tails must be from 0 to 1, not {self.masked_tails}")


def mask_tokens(
    ids: torch.Tensor,
    starts: torch.Tensor,
    mask_id: int,
    generator: torch.Generator,
    power: float = 1.0,
    given: torch.Tensor | None = None,
    tails: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """LLaDA's forward process on the tokens from `starts` (B,) on: (noisy ids, weight per token), both (B, T).

    The weight is 1/t over the number of tokens that could be masked, and 0 where nothing is masked: on average every
    token counts the same, whatever `power` (see `Recipe`) says of t. t is stratified over the batch (one uniform shift
    of an even grid), which lowers the loss's variance. Tokens that are `given` (B, T) are never masked. In a share `tails`
    of the sequences everything from a random place on is masked, whatever t, and weighs 1: there the mask is certain.
    """
    size, length = ids.shape
    shift = torch.rand((), generator=generator, device=ids.device)
    u = (torch.arange(size, device=ids.device) / size + shift) % 1.0
    t = u ** (1 / power) * (1 - MIN_MASK_RATIO) + MIN_MASK_RATIO
    allowed = torch.arange(length, device=ids.device) >= starts[:, None]
    if given is not None:
        allowed &= ~given
    chance = t[:, None]
    if tails:
        some, place = (torch.rand((size, 1), generator=generator, device=ids.device) for _ in range(2))
        first = starts[:, None] + place * (length - starts[:, None])
        tail = (some < tails) & (torch.arange(length, device=ids.device) >= first)
        chance = torch.where(tail, 1.0, chance)
    masked = allowed & (torch.rand(ids.shape, generator=generator, device=ids.device) < chance)
    weight = masked / chance / allowed.sum()
    return torch.where(masked, mask_id, ids), weight


def weighted_loss(hidden: torch.Tensor, head: torch.Tensor, ids: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    logits = F.linear(hidden, head)  # (B, T, V)
    losses = F.cross_entropy(logits.flatten(0, 1).float(), ids.flatten(), reduction="none")
    return (losses * weight.flatten()).sum()


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine to a hundredth."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


@torch.no_grad()
def start_weights(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """Smaller output projections by depth (as LLaDA's "mitchell"), and a head that starts as the embedding.

    The head is trained apart from there on; starting equal lets attention copy a token before anything else is learned.
    """
    scale = (2 * len(model.model.layers)) ** -0.5
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.mul_(scale)
        layer.mlp.down_proj.weight.mul_(scale)
    model.lm_head.weight.copy_(model.model.embed_tokens.weight)
    return model


def optimizer_for(model: LlamaForCausalLM, recipe: Recipe, fused: bool) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=fused)


class Corpus(Protocol):
    """What a run is trained on, and how its progress is told."""

    tokenizer: PreTrainedTokenizerFast
    rows: int  # of the embedding
    max_length: int  # the context that the configuration names

    def batches(self, recipe: Recipe) -> Dataset:
        """Batch number k, made from (seed, k) alone."""

    def to_ids(self, batch: tuple[torch.Tensor, ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch on the device as ids (B, T) and where each answer starts (B,)."""

    def context(self, ids: torch.Tensor, starts: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What the model reads where nothing is masked (B, T): `ids`, or something less true."""

    def given(self, ids: torch.Tensor) -> torch.Tensor | None:
        """Tokens that are read but never to be written (B, T) bool; None: there are none."""

    def start(self, model: LlamaForCausalLM) -> None:
        """Change fresh weights before training."""

    def probe(self, model: LlamaForCausalLM, count: int) -> dict[str, float]:
        """Figures on `count` validation problems; quick, and they rank runs."""


def fresh_model(recipe: Recipe, corpus: Corpus) -> LlamaForCausalLM:
    """A model of the recipe's size with the weights that training starts from."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=corpus.rows,
        hidden_size=recipe.d_model,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        intermediate_size=recipe.mlp,
        max_position_embeddings=corpus.max_length,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        use_cache=False,
    )
    config.is_causal = False
    model = new_model(config)
    corpus.start(model)
    return start_weights(model)


def train(recipe: Recipe, corpus: Corpus, options: argparse.Namespace) -> LlamaForCausalLM:
    """Run (or go on with) the recipe, printing progress; returns the trained float32 model.

    Under torchrun every process takes batches of its own, and a step's gradient is the mean of theirs.
    """
    rank, world, device = join_processes()
    mask_id = corpus.tokenizer.convert_tokens_to_ids(tokens.MASK)
    if options.init:
        model = load_model(options.init, torch.float32, device).train()
    else:
        model = fresh_model(recipe, corpus).to(device).train()
    optimizer = optimizer_for(model, recipe, fused=device.type == "cuda")
    loss_of = weighted_loss
    if device.type == "cuda":
        torch._dynamo.config.cache_size_limit = 128  # one entry for each layer and sequence length
        for layer in model.model.layers:
            layer.compile(dynamic=False)
        loss_of = torch.compile(weighted_loss, dynamic=False)

    checkpoint, first, seconds = options.checkpoint, 0, 0.0
    if checkpoint and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        if {**state["recipe"], "steps": recipe.steps} != asdict(recipe):
            raise SystemExit(f"{checkpoint} belongs to another recipe: {state['recipe']}")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, seconds = state["step"], state["seconds"]
        print(f"going on from step {first} of {recipe.steps}", flush=True)

    last = min(recipe.steps, first + options.at_most) if options.at_most else recipe.steps
    batches = Subset(corpus.batches(recipe), range(first * world + rank, last * world, world))
    loader = DataLoader(
        batches, batch_size=None, num_workers=options.workers, prefetch_factor=8 if options.workers else None
    )
    started, seen, step, losses = time.perf_counter(), 0, first, []

    def save_checkpoint() -> None:
        if checkpoint and rank == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "recipe": asdict(recipe)}
            torch.save({**state, "step": step, "seconds": seconds + time.perf_counter() - started}, checkpoint)

    def probe() -> None:
        found = corpus.probe(model, options.probe_count)
        print("   validation: " + "  ".join(f"{k} {v:.3f}" for k, v in found.items()), flush=True)

    for step, batch in enumerate(loader, start=first):
        generator = torch.Generator(device).manual_seed(recipe.seed * 1_000_003 + step * world + rank)
        ids, starts = corpus.to_ids(batch, device)
        if step < recipe.pretraining_share * recipe.steps:
            starts = torch.zeros_like(starts)  # the question is text to be learned, too
        given = corpus.given(ids)
        noisy, weight = mask_tokens(ids, starts, mask_id, generator, recipe.mask_power, given, recipe.masked_tails)
        noisy = torch.where(noisy == mask_id, noisy, corpus.context(ids, starts, generator))
        rate = learning_rate(step, recipe)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):  # slow on most CPUs
            hidden = model.model(input_ids=noisy, use_cache=False).last_hidden_state
            loss = loss_of(hidden, model.lm_head.weight, ids, weight)
        loss.backward()
        if world > 1:
            average_gradients(model, world)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
        seen += ids.numel() * world
        step += 1
        if rank == 0 and (step % options.report_every == 0 or step == last):
            mean = torch.stack(losses).mean().item()
            losses, spent = [], time.perf_counter() - started
            line = f"step {step}/{recipe.steps}  loss {mean:.4f}  lr {rate:.2e}  {seen / spent / 1e6:.2f} M tokens/s"
            print(f"{line}  {seconds + spent:.0f} s", flush=True)
        if rank == 0 and options.probe_every and step % options.probe_every == 0 and step < last:
            probe()
        if options.save_every and step % options.save_every == 0:
            save_checkpoint()
        may_stop = options.stop_after and step % STEPS_PER_VOTE == 0  # a vote waits for the device
        if may_stop and agreed(time.perf_counter() - started > options.stop_after, world, device):
            break
    save_checkpoint()
    if rank == 0 and options.probe_every:
        probe()
    if world > 1:
        dist.destroy_process_group()
    print(f"trained to step {step} in {seconds + time.perf_counter() - started:.0f} s", flush=True)
    return model


def parser(description: str) -> Parser:
    """The options of a run; the recipe's fields are among them."""
    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the model; must hold the tokenizer or gets one"
    )
    parser.add_argument("--checkpoint", type=Path, help="file to resume from and to save to")
    parser.add_argument(
        "--init", type=Path, help="model folder to start from (its sizes and tokenizer, a new optimizer)"
    )
    parser.add_argument("--at-most", type=int, default=0, help="stop after so many steps of this call (0: all)")
    parser.add_argument(
        "--stop-after", type=float, default=0, help="stop after so many seconds of this call (0: never)"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches")
    parser.add_argument("--report-every", type=int, default=100)
    parser.add_argument(
        "--probe-every", type=int, default=0, help="decode validation problems every so many steps, and at the end"
    )
    parser.add_argument("--probe-count", type=int, default=256, help="validation problems to decode")
    parser.add_argument("--save-every", type=int, default=0, help="write the checkpoint every so many steps")
    for name, value in asdict(Recipe(steps=0)).items():
        default = None if name == "steps" else value
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=default, required=name == "steps")
    return parser


def recipe_of(options: argparse.Namespace) -> Recipe:
    return Recipe(**{name: getattr(options, name) for name in asdict(Recipe(steps=0))})


def prepare_tokenizer(out: Path, init: Path | None, seed: int) -> None:
    """Put the tokenizer that the model needs into `out`: that of `init`, else the one there, else a new one.

    Raises ValueError where that can't write the corpus as it must, or `init` was made for another.
    """
    if init:
        tokenizer = load_tokenizer(init)
        check_tokenizer(tokenizer, init)
        tokens.save_tokenizer(tokenizer, out)
    elif (out / "tokenizer.json").exists():
        check_tokenizer(load_tokenizer(out), out)
    else:
        made = tokens.train_tokenizer(tokens.corpus(TOKENIZER_EXAMPLES, seed), VOCABULARY)
        tokens.save_tokenizer(made, out)


def main(arguments: Sequence[str] | None = None) -> None:
    command = parser(__doc__)
    usual = f"one batch of so many is short: countdown and sudoku (default: {SHORT_EVERY})"
    command.add_argument("--short-every", type=whole(1, 1000), default=SHORT_EVERY, help=usual)
    options = command.parse_args(arguments)
    try:
        recipe = recipe_of(options)
        _, world, _ = join_processes()
        if first_process():
            prepare_tokenizer(options.out, options.init, recipe.seed)
    except ValueError as error:
        command.error(str(error))
    if world > 1:
        dist.barrier()  # the others wait for the tokenizer
    tokenizer = load_tokenizer(options.out)
    model = train(recipe, WordProblems(tokenizer, options.short_every), options)
    mask_id = tokenizer.convert_tokens_to_ids(tokens.MASK)
    if first_process():
        save_model(model, options.out, mask_token_id=mask_id, eos_token_id=tokenizer.eos_token_id)


if __name__ == "__main__":
    main()
