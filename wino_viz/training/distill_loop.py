"""The loop of distilling: batches in, steps taken over all processes, reports and probes out. `distill.py` is the command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import LlamaForCausalLM

from wino_viz.evaluation import Evaluation
from wino_viz.models.checkpoint import Checkpoint
from wino_viz.training.distill_batches import Batch, Examples, Texts
from wino_viz.training.distill_losses import Terms, Weights, loss_terms
from wino_viz.training.distill_recipe import Recipe
from wino_viz.training.pretrain import mask_tokens, weighted_loss

MAX_GRADIENT = 1.0


class Schedule(Dataset):
    """The batches of one process in their order: a `Batch`, or (ids, starts) in a step that keeps."""

    def __init__(self, recipe: Recipe, examples: Examples, texts: Texts, rank: int, world: int) -> None:
        self.recipe, self.examples, self.texts, self.rank, self.world = recipe, examples, texts, rank, world

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.accumulate

    def __getitem__(self, n: int) -> Batch | tuple[torch.Tensor, torch.Tensor]:
        k = n * self.world + self.rank
        source = self.texts if self.recipe.keeps(n // self.recipe.accumulate) else self.examples
        return source.batch(k, self.recipe.batch)


class Distiller(nn.Module):
    """The model with its losses, in one module for processes to share gradients of."""

    def __init__(self, model: LlamaForCausalLM, mask_id: int, weights: Weights, keep_power: float = 1.0) -> None:
        super().__init__()
        self.model, self.mask_id, self.weights, self.keep_power = model, mask_id, weights, keep_power

    def forward(self, batch: Batch | tuple, generator: torch.Generator) -> Terms | torch.Tensor:
        """The terms of a Batch; of (ids, starts) the ordinary masked-diffusion loss, with masks from `generator`."""
        if not isinstance(batch, Batch):
            ids, starts = batch
            noisy, weight = mask_tokens(ids, starts, self.mask_id, generator, self.keep_power)
            hidden = self.model.model(input_ids=noisy, use_cache=False).last_hidden_state
            return weighted_loss(hidden, self.model.lm_head.weight, ids, weight)
        size, length = batch.ids.shape
        visible = batch.real[:, None, None, :].expand(size, 1, length, length)
        hidden = self.model.model(input_ids=batch.ids, attention_mask=visible, use_cache=False).last_hidden_state
        logits = self.model.lm_head(hidden[batch.where[0], batch.where[1]])  # (N, V)
        return loss_terms(logits, batch.labels, batch.is_target, batch.where[0], size, self.weights)


class Means:
    """Running means over the batches since the last report, over all processes."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._terms: list[torch.Tensor] = []
        self._keep: list[torch.Tensor] = []

    def add(self, result: Terms | torch.Tensor) -> None:
        if isinstance(result, Terms):
            self._terms.append(torch.stack([part.detach().float() for part in result]))
        else:
            self._keep.append(result.detach().float())

    def take(self) -> dict[str, float]:
        """{term: mean, …, "keep": …} of what there was."""
        found = {}
        if self._terms:
            means = self._accelerator.reduce(torch.stack(self._terms).mean(0), "mean")
            found |= dict(zip(Terms._fields, means.tolist(), strict=True))
        if self._keep:
            found["keep"] = self._accelerator.reduce(torch.stack(self._keep).mean(), "mean").item()
        self._terms, self._keep = [], []
        return found


def told(means: dict[str, float], weights: Weights) -> str:
    """A report of the terms, unweighted, and of their weighted sum."""
    words = []
    if "tok" in means:
        total = sum(getattr(weights, name) * means[name] for name in ("tok", "sharp", "defer"))
        words.append(
            f"loss {total:.4f}  tok {means['tok']:.4f} (right {means['right']:.1%})  "
            f"sharp {means['sharp']:.4f} (at {means['sharp_positions']:.2f})  "
            f"defer {means['defer']:.4f} (at {means['defer_positions']:.2f})"
        )
    if "keep" in means:
        words.append(f"keep {means['keep']:.4f}")
    return "  ".join(words)


class Probed(NamedTuple):
    """Of one decoder on the validation problems of one task."""

    decoder: str
    task: str
    accuracy: float
    passes: float


class Probe:
    """Decodes validation problems; every process takes its share, and all hear the result."""

    def __init__(self, checkpoint: Checkpoint, records: Sequence[dict], specs: Sequence[str], in_flight: int) -> None:
        self.checkpoint, self.records, self.specs, self.in_flight = checkpoint, records, specs, in_flight

    def __call__(self, accelerator: Accelerator) -> list[Probed]:
        model = self.checkpoint.denoiser.model
        keys = [(spec, task) for spec in self.specs for task in sorted({r["task"] for r in self.records})]
        if not keys:
            return []
        sums = torch.zeros((len(keys), 3), device=accelerator.device)  # problems, right ones, passes
        own = self.records[accelerator.process_index :: accelerator.num_processes]
        if own:
            model.eval()
            with torch.compiler.set_stance("force_eager"):
                items = Evaluation.of(self.checkpoint, self.specs, own).run(self.in_flight)
            model.train()
            for item in items:
                row = sums[keys.index((item["decoder"], item["task"]))]
                row += row.new_tensor([1, bool(item["correct"]), item["forward_passes"]])
        sums = accelerator.reduce(sums, "sum").tolist()
        return [Probed(*key, right / n, passes / n) for key, (n, right, passes) in zip(keys, sums, strict=True)]


@dataclass
class Run:
    """A model in training. `reports` and `probes` grow as `train` runs."""

    recipe: Recipe
    weights: Weights
    checkpoint: Checkpoint
    accelerator: Accelerator
    schedule: Schedule
    probe: Probe
    reports: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)

    def train(
        self, *, report_every: int, probe_every: int, stop_after: float = 0, workers: int = 0, compiled: bool = False
    ) -> int:
        """Take the recipe's steps (fewer where stop_after seconds are over); returns how many were taken."""
        recipe, accelerator = self.recipe, self.accelerator
        model = self.checkpoint.denoiser.model.train()
        trained = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.learning_rate)
        if compiled:
            torch._dynamo.config.cache_size_limit = 64  # one entry for each layer and sequence length
            for layer in model.model.layers:
                layer.compile(dynamic=False)
        distiller = Distiller(model, self.checkpoint.mask_id, self.weights, recipe.keep_power)
        distiller, optimizer = accelerator.prepare(distiller, optimizer)
        loader = iter(DataLoader(self.schedule, batch_size=None, num_workers=workers))
        generator, means = torch.Generator(accelerator.device), Means(accelerator)
        started, step = time.perf_counter(), 0
        self._probe(step)
        while step < recipe.steps:
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(step)
            for part in range(recipe.accumulate):
                batch = _moved(next(loader), accelerator.device)
                number = (step * recipe.accumulate + part) * accelerator.num_processes + accelerator.process_index
                generator.manual_seed(recipe.seed * 1_000_003 + number)
                last = part == recipe.accumulate - 1
                with nullcontext() if last else accelerator.no_sync(distiller):
                    result = distiller(batch, generator)
                    loss = result.loss(self.weights) if isinstance(result, Terms) else result
                    accelerator.backward(loss / recipe.accumulate)
                means.add(result)
            accelerator.clip_grad_norm_(trained, MAX_GRADIENT)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            seconds = time.perf_counter() - started
            if step % report_every == 0 or step == recipe.steps:
                found = means.take()
                self.reports.append({"step": step, "seconds": round(seconds, 1), **found})
                line = f"step {step}/{recipe.steps}  {told(found, self.weights)}  lr {recipe.rate(step - 1):.2e}"
                accelerator.print(f"{line}  {seconds:.0f} s", flush=True)
            stop = bool(stop_after) and self._any(seconds > stop_after)
            if stop or step == recipe.steps or (probe_every and step % probe_every == 0):
                self._probe(step)
            if stop:
                break
        accelerator.print(f"trained {step} steps in {time.perf_counter() - started:.0f} s", flush=True)
        return step

    def _any(self, mine: bool) -> bool:
        """Whether any process says so: all must take the same number of steps."""
        vote = torch.tensor(float(mine), device=self.accelerator.device)
        return self.accelerator.reduce(vote, "sum").item() > 0

    def _probe(self, step: int) -> None:
        self.accelerator.print(f"probing after {step} steps", flush=True)  # it takes minutes on a CPU
        for found in self.probe(self.accelerator):
            self.probes.append({"step": step, **found._asdict()})
            line = f"   validation at {step}: {found.task}  {found.decoder}  "
            self.accelerator.print(f"{line}accuracy {found.accuracy:.3f}  passes {found.passes:.2f}", flush=True)


def _moved(batch: Sequence[torch.Tensor], device: torch.device) -> Any:
    moved = [tensor.to(device, non_blocking=True) for tensor in batch]
    return Batch(*moved) if isinstance(batch, Batch) else tuple(moved)
