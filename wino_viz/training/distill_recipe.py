"""What defines a distilling run, checked when made."""

from __future__ import annotations

from dataclasses import dataclass

from wino_viz.decoding.checks import check_choice, check_number, check_whole
from wino_viz.training.pretrain import learning_rate
from wino_viz.training.trajectories import made_here

# The published list names o_proj, gate_proj and down_proj too, which LLaDA's modules don't have: these four got adapters.
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "up_proj")
ALL_TARGETS = (*LORA_TARGETS, "o_proj", "gate_proj", "down_proj")
SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a run beside model, trajectories and `Weights`. ValueError for what is out of range.

    batch       examples per process and forward pass; accumulate: such batches per step
    lora        rank of the adapter; 0 trains all weights. alpha: None for the rank (scale 1)
    skip_ends   leave out passes that placed end-of-text alone
    keep_share  0..1 of the steps take the ordinary loss, on answers to fresh problems of keep_tasks (none: the trajectories')
    keep_power  above 0; mask ratios of these steps have the density keep_power · t^(keep_power − 1), as in pretrain.py
    """

    steps: int
    batch: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-4
    warmup_steps: int = 20
    schedule: str = "cosine"
    weight_decay: float = 0.01
    lora: int = 0
    lora_alpha: float | None = None
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] = LORA_TARGETS
    keep_share: float = 0.0
    keep_tasks: tuple[str, ...] = ()
    keep_power: float = 1.0
    skip_ends: bool = False
    random_order: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate"):
            check_whole(name, getattr(self, name), 1)
        for name in ("lora", "warmup_steps", "seed"):
            check_whole(name, getattr(self, name), 0)
        for name, high in (("learning_rate", 1), ("weight_decay", 1), ("lora_dropout", 0.9), ("keep_share", 1)):
            check_number(name, getattr(self, name), 0, high)
        check_choice("schedule", self.schedule, SCHEDULES)
        for target in self.lora_targets:
            check_choice("lora_targets", target, ALL_TARGETS)
        for task in self.keep_tasks:
            made_here(task)
        if not 0 < self.keep_power <= 10:
            raise ValueError(f"keep_power must be above 0 and up to 10, not {self.keep_power}")
        if self.keep_tasks and not self.keep_share:
            raise ValueError("keep_tasks goes with a keep_share above 0")

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        if self.schedule == "constant":
            return self.learning_rate * min(1.0, (step + 1) / max(1, self.warmup_steps))
        return learning_rate(step, self)

    def keeps(self, step: int) -> bool:
        """Whether a step takes the ordinary loss; such steps are spread evenly."""
        return int((step + 1) * self.keep_share) > int(step * self.keep_share)
