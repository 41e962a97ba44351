"""Training of the multimodal model at toy size: its batches, planted errors, and checkpoints that decode."""

import re
from dataclasses import replace
from pathlib import Path
from random import Random
from types import ModuleType

import numpy as np
import pytest
import torch

from tests.commands import run_here
from wino_viz.models import mmada
from wino_viz.models.checkpoint import EMBEDDED, Checkpoint, load_checkpoint
from wino_viz.models.magvit import load_magvit, save_magvit
from wino_viz.session import Session
from wino_viz.tasks.scenes import HELD_OUT, compose, draw, generate
from wino_viz.tasks.scenes_drawing import COLOURS, SHAPES
from wino_viz.training import image_tokenizer, pretrain_pictures
from wino_viz.training.image_tokenizer import MINI, Pictures, as_pixels, entropies
from wino_viz.training.pretrain import mask_tokens
from wino_viz.training.pretrain_pictures import BLOB, ERROR_GROUPS, LENGTHS, SceneBatches, Scenes, with_blobs

TOY = ["--batch-tokens", "1100", "--d-model", "32", "--layers", "2", "--heads", "2", "--mlp", "48"]
TOY += ["--steps", "2", "--warmup-steps", "1", "--report-every", "1", "--pretraining-share", "0"]


def run(module: ModuleType, *arguments: str) -> str:
    done = run_here(module.main, *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes(EMBEDDED / "mmada-mini")


@pytest.fixture(scope="module")
def batch(scenes: Scenes) -> tuple[torch.Tensor, ...]:
    """Sixteen sequences with captions among them."""
    batches = SceneBatches(scenes.tokenizer, 256, 16 * 352, seed=0)
    return next(b for b in (batches[k] for k in range(20)) if b[2].shape[1] == 352)


def answers(scenes: Scenes, batch: tuple[torch.Tensor, ...]) -> list[str]:
    _, _, ids, starts = batch
    return [scenes.tokenizer.decode(row[start:]) for row, start in zip(ids, starts, strict=True)]


def test_blobs_are_told_as_blobs_in_the_colour_and_place_they_are_drawn_in():
    rng = Random(0)
    told, shown = with_blobs(next(s for s in iter(lambda: generate(rng), None) if len(s.things) == 5), rng, 1.0)
    blobs = [(one, two) for one, two in zip(told.things, shown.things, strict=True) if one != two]
    assert blobs
    before, after = draw(replace(shown, things=())), draw(shown)
    for one, two in blobs:
        assert one.shape == "blob"
        assert replace(one, shape=two.shape) == two
        middle = round(one.x * 128), round(one.y * 128)
        assert before.getpixel(middle) != after.getpixel(middle)
    assert with_blobs(told, rng, 0.0) == (told, told)


def test_a_run_with_blobs_tells_their_colours_and_has_a_token_for_their_name(scenes: Scenes):
    texts = {}
    for share in (0.0, 0.4):
        batches = SceneBatches(scenes.tokenizer, 256, 64 * 352, seed=3, blobs=share)
        texts[share] = [text for k in range(6) for text in answers(scenes, batches[k])]
    assert not any("blob" in text.lower() for text in texts[0.0] + texts[0.4])
    assert not any(BLOB in text for text in texts[0.0])
    assert 0.1 < sum(BLOB in text for text in texts[0.4]) / len(texts[0.4]) < 0.4
    colours = {colour for text in texts[0.4] for colour in re.findall(rf"(\w+){re.escape(BLOB)}", text)}
    assert set(COLOURS) <= colours


def test_the_name_of_a_blob_is_read_and_never_written():
    scenes = Scenes(EMBEDDED / "mmada-mini", blobs=0.4)
    ids, starts = scenes.to_ids(
        SceneBatches(scenes.tokenizer, 256, 64 * 352, seed=3, blobs=0.4)[0], torch.device("cpu")
    )
    blob = scenes.tokenizer.convert_tokens_to_ids(BLOB)
    assert (ids == blob).any()
    noisy, weight = mask_tokens(ids, starts, 5, torch.Generator().manual_seed(0), 1.0, scenes.given(ids))
    assert (noisy == 5).any() and (noisy[ids == blob] == blob).all() and not weight[ids == blob].any()


def test_a_sequence_is_laid_out_as_the_model_is_asked(scenes: Scenes, batch):
    pictures, which, _, _ = batch
    ids, starts = scenes.to_ids(batch, torch.device("cpu"))
    codes = scenes.reader.magvit.encode(as_pixels(pictures, torch.device("cpu")))
    for row, start, picture in zip(ids.tolist(), starts.tolist(), which.tolist(), strict=True):
        said = scenes.tokenizer.decode(row[start - 60 : start])
        question = re.search(r"user<\|end_header_id\|>\n(.*)<\|eot_id\|>", said)[1]
        assert row[:start] == mmada.prompt_ids(scenes.reader, scenes.tokenizer, question, codes[picture].numpy())


def test_an_answer_ends_its_turn_and_is_padded_with_end_of_text(scenes: Scenes, batch):
    for text in answers(scenes, batch):
        answer, _, rest = text.partition("<|eot_id|>")
        assert answer.endswith(".")
        assert rest.replace("<|endoftext|>", "") == ""


def test_a_batch_depends_on_seed_and_number_alone(scenes: Scenes):
    one, again, other = (SceneBatches(scenes.tokenizer, 256, 2 * 384, seed)[1] for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert one[2].shape != other[2].shape or not torch.equal(one[2], other[2])
    assert one[2].shape[1] in LENGTHS


def test_no_target_names_a_pair_that_is_held_out(scenes: Scenes):
    pairs = {f"{colour} {shape}" for shape, colour in HELD_OUT}
    batches = SceneBatches(scenes.tokenizer, 256, 64 * 352, seed=3)
    texts = [text for k in range(6) for text in answers(scenes, batches[k])]
    assert sum("circle" in text for text in texts) > 10
    assert not [text for text in texts if any(pair in text for pair in pairs)]


def test_planted_errors_are_other_words_of_the_same_kind_in_some_answers(scenes: Scenes, batch):
    ids, starts = scenes.to_ids(batch, torch.device("cpu"))
    ids, starts = ids.repeat(40, 1), starts.repeat(40)
    read = scenes.context(ids, starts, torch.Generator().manual_seed(0))
    assert torch.equal(read, scenes.context(ids, starts, torch.Generator().manual_seed(0)))
    changed = read != ids
    group = {word: number for number, words in enumerate(ERROR_GROUPS) for word in words}
    for row, place in changed.nonzero().tolist():
        assert place >= starts[row]
        true, planted = (scenes.tokenizer.decode([int(part[row, place])]).strip() for part in (ids, read))
        assert group[true] == group[planted]
    words = torch.tensor([[scenes.tokenizer.decode([i]).strip() in group for i in row] for row in ids[:16].tolist()])
    words &= torch.arange(ids.shape[1]) >= starts[:16, None]
    share = changed.sum() / (words.sum() * 40)
    assert 0.11 < share < 0.15  # three in twenty on average, and one in eight of those is the same word again
    assert (changed.sum(1) == 0).any()


def test_parts_of_some_pictures_are_hidden_and_nothing_else_is(batch):
    scenes = Scenes(EMBEDDED / "mmada-mini", hidden=0.5)
    ids, starts = scenes.to_ids(batch, torch.device("cpu"))
    ids, starts = ids.repeat(20, 1), starts.repeat(20)
    read = scenes.context(ids, starts, torch.Generator().manual_seed(0))
    mask_id = scenes.tokenizer.convert_tokens_to_ids("<|mdm_mask|>")
    hidden = read == mask_id
    codes = slice(2, 2 + 256)
    assert not hidden[:, :2].any() and not hidden[:, 258:].any()
    shares = hidden[:, codes].float().mean(1)
    assert 0.35 < (shares == 0).float().mean() < 0.65  # so many pictures are whole
    assert 0.4 < shares.max() < 0.6 and shares.mean() == pytest.approx(0.125, abs=0.03)
    whole = Scenes(EMBEDDED / "mmada-mini").context(ids, starts, torch.Generator().manual_seed(0))
    assert torch.equal(whole[:, 258:], read[:, 258:]) and torch.equal(whole[:, :258], ids[:, :258])
    more = Scenes(EMBEDDED / "mmada-mini", hidden=0.5, most_hidden=0.9, errors=0.8)
    read = more.context(ids, starts, torch.Generator().manual_seed(0))
    assert 0.8 < (read == mask_id)[:, codes].float().mean(1).max() < 0.95
    assert (whole != ids)[:, 258:].sum() * 2 < (read != ids)[:, 258:].sum()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with the tokenizers that training needs there."""
    out = tmp_path / "model"
    (out / "image_tokenizer").mkdir(parents=True)
    for path in (EMBEDDED / "mmada-mini" / "image_tokenizer").iterdir():
        (out / "image_tokenizer" / path.name).write_bytes(path.read_bytes())
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (out / name).write_text((EMBEDDED / "mmada-mini" / name).read_text())
    return out


def test_only_the_first_of_several_processes_writes_the_model(out: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RANK", "1")
    run(pretrain_pictures, "--out", str(out), *TOY)
    assert not list(out.glob("*.safetensors"))


def test_what_training_writes_sees_and_captions(out: Path):
    assert "step 2/2" in run(pretrain_pictures, "--out", str(out), *TOY)
    session = Session(str(out), task="caption")
    settings = session.settings("wino")
    picture = session.see(draw(compose(1)))
    decoding = session.start("Describe it.", settings, picture=picture, gen_length=16, block_length=8)
    assert len(list(decoding)) >= 2
    assert decoding.trace().mask_id not in decoding.trace().output_ids


def test_codes_that_share_bits_start_alike(scenes: Scenes):
    from wino_viz.training.pretrain import LlamaConfig, new_model

    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = new_model(LlamaConfig(vocab_size=scenes.rows, **sizes))
    scenes.start(model)
    rows = model.model.embed_tokens.weight[scenes.reader.offset :].detach()
    like = torch.nn.functional.cosine_similarity
    neighbours = like(rows[0:512:2], rows[1:512:2]).mean()  # they differ in the last bit alone
    opposites = like(rows[:512], rows[512:1024].flip(0)).mean()  # all bits differ
    assert neighbours > 0.4 > 0 > opposites


# ---- the picture tokenizer


def test_pictures_of_a_batch_depend_on_split_seed_and_number():
    one = Pictures(2, 0)[5]
    assert one.shape == (2, 128, 128, 3) and one.dtype == torch.uint8
    assert torch.equal(one, Pictures(2, 0)[5])
    assert not torch.equal(one, Pictures(2, 1)[5])
    assert not torch.equal(one, Pictures(2, 0, "validation")[5])


def test_blobs_change_some_pictures_of_a_batch_and_no_other():
    plain, some = Pictures(12, 0)[5], Pictures(12, 0, blobs=1.0)[5]
    assert torch.equal(plain[0], Pictures(12, 0, blobs=0.0)[5][0])
    assert not torch.equal(plain, some)


def test_training_goes_on_from_a_tokenizer(tmp_path: Path):
    shipped = EMBEDDED / "mmada-mini" / "image_tokenizer"
    steps = ["--steps", "1", "--batch", "1", "--report-count", "2", "--learning-rate", "1e-6", "--blobs", "1"]
    run(image_tokenizer, "--out", str(tmp_path), "--init", str(shipped), *steps)
    before, after = load_magvit(shipped), load_magvit(tmp_path)
    pixels = as_pixels(Pictures(2, 0)[0], torch.device("cpu"))
    assert (before.encode(pixels) == after.encode(pixels)).float().mean() > 0.95


def test_pixels_are_scaled_as_for_the_model(sees: Checkpoint):
    picture = draw(compose(3))
    pixels = as_pixels(torch.from_numpy(np.asarray(picture))[None], torch.device("cpu"))
    assert torch.equal(sees.reader.magvit.encode(pixels)[0], torch.from_numpy(sees.reader.codes(picture)))


def test_entropy_is_least_for_sure_places_and_greatest_for_codes_that_are_all_in_use():
    every = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)  # all 16 codes of 4 bits, once
    sure, used = entropies(9 * every.T.reshape(1, 4, 4, 4))
    assert sure == pytest.approx(0, abs=1e-3) and used == pytest.approx(np.log(16), abs=1e-3)
    sure, used = entropies(torch.zeros(1, 4, 4, 4))
    assert sure == pytest.approx(4 * np.log(2), abs=1e-3)
    _, used = entropies(9 * torch.ones(1, 4, 4, 4))
    assert used == pytest.approx(0, abs=1e-3)


def test_a_trained_picture_tokenizer_is_stored_in_half_precision_and_loads(tmp_path: Path):
    steps = ["--steps", "1", "--batch", "1", "--report-count", "2"]
    assert "as stored: PSNR" in run(image_tokenizer, "--out", str(tmp_path), *steps)
    model = load_magvit(tmp_path)
    assert model.config == MINI
    assert next(model.parameters()).dtype == torch.float32
    save_magvit(model, tmp_path / "again", torch.float16)
    assert (tmp_path / "again" / "pytorch_model.safetensors").stat().st_size < 8e6


def test_the_shipped_tokenizer_keeps_shapes_and_colours(sees: Checkpoint):
    """Every object's own colour is the nearest of all at its centre, in most pictures decoded from their codes."""
    table = np.array(list(COLOURS.values()), dtype=float)
    right = total = 0
    for seed in range(25):
        scene = compose(seed)
        pixels = np.asarray(sees.reader.picture(sees.reader.codes(draw(scene))), dtype=float)
        for thing in scene.things:
            if thing.shape == "moon":
                continue  # its centre is background
            x, y = round(thing.x * 128), round(thing.y * 128)
            mean = pixels[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1))
            nearest = int(((table - mean) ** 2).sum(1).argmin())
            right, total = right + (list(COLOURS)[nearest] == thing.colour), total + 1
    assert total > 50 and len(SHAPES) == 8
    assert right / total > 0.9


def test_the_shipped_models_are_small(sees: Checkpoint):
    size = sum(path.stat().st_size for path in (EMBEDDED / "mmada-mini").rglob("*.safetensors"))
    assert size <= 40e6
    assert load_checkpoint("mmada-mini", device="cpu").reader.side == 16
