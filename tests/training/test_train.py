import errno
import math
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from accelerate.utils import DistributedType
from safetensors import safe_open
from torch import nn

from tempgen.errors import ConfigError, TrainingError
from tempgen.training import checkpoints, progress, train
from tempgen.training.accelerated import make_accelerator
from tempgen.training.batches import StepBatches, iterate
from tempgen.training.checkpoints import Checkpoints, read_state, read_tensors
from tempgen.training.engine import Engine
from tempgen.training.schedule import learning_rate, rows_of_step
from tempgen.training.sharding import check_sharding, configure_deepspeed
from tempgen.training.weights import EMA_WARMUP
from tests.training.tiny import TinyTask, quiet, same_bits, tiny_config, train_tiny, trained_weights

TRAINED = {"trained.0.weight", "trained.0.bias", "trained.3.weight", "trained.3.bias"}


def tensor_names(path):
    with safe_open(path, framework="pt") as file:
        return set(file.keys())


def test_training_minimizes_the_loss(tmp_path):
    task = TinyTask(dropout=0.0)
    before = task.validate(task.module)["monitor"]
    outcome = train(task, tiny_config(n_steps=300), tmp_path, say=quiet)

    assert outcome.monitor < 0.1 * before
    assert outcome.loss < 0.5 * before
    assert outcome.samples_per_second > 0


def test_loop_equals_a_plain_torch_loop(tmp_path):
    config = tiny_config(n_steps=40, keep="last", max_grad_norm=0.3)
    trained = train_tiny(tmp_path, config, dropout=0.0)

    task = TinyTask(dropout=0.0)
    optimizer = torch.optim.AdamW(task.module.trained.parameters(), betas=config.betas, weight_decay=0.01)
    for step in range(40):
        optimizer.param_groups[0]["lr"] = learning_rate(step, config)
        rows = rows_of_step(step, n_samples=task.n_samples, batch_size=8, seed=config.seed)
        optimizer.zero_grad()
        task.module(**task.batch(rows, step))["loss"].backward()
        nn.utils.clip_grad_norm_(task.module.trained.parameters(), 0.3)
        optimizer.step()

    for name, weight in trained.module.state_dict().items():
        torch.testing.assert_close(weight, task.module.state_dict()[name], rtol=1e-4, atol=1e-6)


def test_accumulated_gradients_equal_the_larger_batch(tmp_path):
    config = tiny_config(keep="last")
    at_once = train_tiny(tmp_path / "1", config, dropout=0.0)
    in_parts = train_tiny(
        tmp_path / "4", config.model_copy(update={"gradient_accumulation_steps": 4}), dropout=0.0
    )

    assert in_parts.module.n_forwards > 3 * at_once.module.n_forwards
    for name, weight in at_once.module.state_dict().items():
        torch.testing.assert_close(in_parts.module.state_dict()[name], weight, rtol=1e-3, atol=1e-5)


def test_only_trained_tensors_are_saved(tmp_path):
    task = train_tiny(tmp_path, tiny_config(ema_decay=0.9))
    last = Checkpoints(tmp_path).latest()
    (best,) = Checkpoints(tmp_path).folder.glob("best-*")

    assert any(name.startswith("frozen") for name in task.module.state_dict())
    assert tensor_names(last / "weights.safetensors") == TRAINED
    assert tensor_names(last / "average.safetensors") == TRAINED
    assert tensor_names(best / "weights.safetensors") == TRAINED
    assert {name.split("/")[1] for name in tensor_names(last / "optimizer.safetensors")} == TRAINED


def test_frozen_weights_do_not_change(tmp_path):
    before = trained_weights(TinyTask())
    after = trained_weights(train_tiny(tmp_path, tiny_config(weight_decay=0.5)))

    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("frozen")


def test_old_checkpoints_are_removed_and_the_best_is_kept(tmp_path):
    scores = iter([5.0, 1.0, 3.0, 4.0, 2.0, 6.0])
    train_tiny(tmp_path, tiny_config(), monitor=lambda task: next(scores))

    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "best-00000022",
        "step-00000060",
    ]


def test_best_and_last_weights_are_chosen_by_rule(tmp_path):
    seen = {}

    def monitor(task):
        seen[task.validated] = trained_weights(task)
        return {1: 5.0, 2: 1.0, 3: math.nan}.get(task.validated, 3.0)

    best, last = TinyTask(monitor=monitor), TinyTask(monitor=monitor)
    best_outcome = train(best, tiny_config(keep="best"), tmp_path / "best", say=quiet)
    assert same_bits(trained_weights(best), seen[2])
    assert (best_outcome.keep, best_outcome.chosen_step, best_outcome.monitor) == ("best", 22, 1.0)
    assert best_outcome.scores == {"monitor": 1.0}  # of the chosen weights, not the last ones'

    last_outcome = train(last, tiny_config(keep="last"), tmp_path / "last", say=quiet)
    assert same_bits(trained_weights(last), seen[6])
    assert (last_outcome.keep, last_outcome.chosen_step, last_outcome.monitor) == ("last", 60, None)
    assert last_outcome.scores == {"monitor": 3.0}
    assert not same_bits(trained_weights(best), trained_weights(last))


def test_last_weights_are_kept_where_nothing_is_held_out(tmp_path):
    task = TinyTask()
    task.validate = lambda module: {}
    outcome = train(task, tiny_config(keep="best"), tmp_path, say=quiet)

    assert (outcome.keep, outcome.chosen_step) == ("last", 60)
    assert same_bits(
        read_tensors(outcome.weights), {n: t for n, t in trained_weights(task).items() if n in TRAINED}
    )


def test_average_follows_its_recursion_and_is_what_is_validated_and_kept(tmp_path):
    task, history, validated = TinyTask(), [], []
    forward = task.module.forward

    def remember(**batch):
        history.append(task.module.trained[0].weight.detach().clone())
        return forward(**batch)

    task.module.forward = remember
    task.validate = lambda module: validated.append(module.trained[0].weight.clone()) or {"monitor": 0.0}
    config = tiny_config(n_steps=20, validate_every=20, keep="last", ema_decay=0.8)
    train(task, config, tmp_path, say=quiet)
    after_last = read_tensors(Checkpoints(tmp_path).latest() / "weights.safetensors")["trained.0.weight"]

    average = history[0]
    for step, weight in enumerate([*history[1:], after_last]):
        decay = min(0.8, (1 + step) / (EMA_WARMUP + step))
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(task.module.trained[0].weight.detach(), average)
    torch.testing.assert_close(validated[0], average)
    assert not torch.allclose(average, after_last)


def test_checkpoint_of_another_configuration_is_refused_with_the_differences(tmp_path):
    train_tiny(tmp_path, tiny_config(n_steps=10))
    before = (Checkpoints(tmp_path).latest() / "weights.safetensors").read_bytes()
    other = TinyTask(recipe={"backbone": "scenes", "window": {"n_tr": 3}})

    with pytest.raises(TrainingError, match=r"of another configuration") as refused:
        train(other, tiny_config(n_steps=10, learning_rate=0.5), tmp_path, say=quiet)
    assert "task.window.n_tr: 6 -> 3" in str(refused.value)
    assert "optimization.learning_rate: 0.01 -> 0.5" in str(refused.value)
    assert "backbone" not in str(refused.value)
    assert (Checkpoints(tmp_path).latest() / "weights.safetensors").read_bytes() == before


def test_options_that_leave_the_result_alone_may_change_on_resuming(tmp_path):
    first = train_tiny(tmp_path, tiny_config())
    changed = tiny_config(n_workers=2, checkpoint_every=3, gradient_checkpointing=True)

    assert same_bits(trained_weights(first), trained_weights(train_tiny(tmp_path, changed)))


def test_loss_that_is_not_finite_stops_with_the_step_and_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"loss of tiny is nan at step 31; .*step-00000028") as stopped:
        train_tiny(tmp_path, tiny_config(), broken_from=30)
    assert "learning_rate" in str(stopped.value)
    state = read_state(Checkpoints(tmp_path).latest())
    assert state.step == 28
    assert all(
        tensor.isfinite().all()
        for tensor in read_tensors(Checkpoints(tmp_path).latest() / "weights.safetensors").values()
    )


def test_loss_that_is_not_finite_from_the_start_says_that_there_is_no_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"nan at step 1; there is no checkpoint yet"):
        train_tiny(tmp_path, tiny_config(), broken_from=0)


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    # The loss of step 7 is finite, its update is not: the checkpoint is due before the next loss shows it.
    class Breaks(TinyTask):
        def batch(self, rows, step):
            batch = super().batch(rows, step)
            if step == 6:
                self.module.trained[0].weight.register_hook(lambda gradient: gradient * math.inf)
            return batch

    with pytest.raises(TrainingError, match=r"not finite after step 7; there is no checkpoint yet"):
        train(Breaks(), tiny_config(), tmp_path, say=quiet)


def test_batch_that_does_not_fit_the_memory_says_which_options_help(tmp_path):
    task = TinyTask()

    def too_large(**batch):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80.00 GiB.\nMore lines")

    task.module.forward = too_large
    with pytest.raises(TrainingError, match=r"step 1 \(CUDA out of .*80.00 GiB.\)") as stopped:
        train(task, tiny_config(), tmp_path, say=quiet)
    assert "gradient_accumulation_steps" in str(stopped.value)


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.safetensors"])
def test_full_disk_while_saving_leaves_the_previous_checkpoint_whole(tmp_path, monkeypatch, file):
    config = tiny_config(keep="last")
    reference = trained_weights(train_tiny(tmp_path / "whole", config))
    original = checkpoints.save_file

    def full(tensors, path):
        if path.name == file and "step-00000021" in str(path):
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        original(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(TrainingError, match=r"step-00000021.*No space left") as stopped:
        train_tiny(tmp_path / "full", config)
    monkeypatch.undo()
    assert "step-00000014 is whole" in str(stopped.value)
    assert [path.name for path in (tmp_path / "full" / "checkpoints").iterdir()] == ["step-00000014"]
    assert same_bits(trained_weights(train_tiny(tmp_path / "full", config)), reference)


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "checkpoints").write_text("a file is in the way")
    with pytest.raises(
        TrainingError, match=r"Could not save after step 7 to .*checkpoints.*no earlier checkpoint"
    ):
        train_tiny(tmp_path, tiny_config(keep="last"))


def test_module_without_trainable_parameters_is_refused(tmp_path):
    task = TinyTask()
    task.module.requires_grad_(False)
    with pytest.raises(TrainingError, match="no trainable parameter"):
        train(task, tiny_config(), tmp_path, say=quiet)


def test_checkpoint_of_another_module_is_refused(tmp_path):
    train_tiny(tmp_path, tiny_config(n_steps=10))
    task = TinyTask()
    task.module.frozen.requires_grad_(True)
    with pytest.raises(TrainingError, match=r"missing \['frozen.bias', 'frozen.weight'\]"):
        train(task, tiny_config(n_steps=10), tmp_path, say=quiet)


def test_precision_may_change_between_runs_of_one_process(tmp_path):
    full, half = (
        train_tiny(tmp_path / precision, tiny_config(mixed_precision=precision))
        for precision in ("no", "bf16")
    )
    assert not same_bits(trained_weights(full), trained_weights(half))
    assert half.module.trained[0].weight.dtype == torch.float32
    assert half.module(half.seen, half.wanted)["loss"].dtype == torch.float32
    assert "forward" not in vars(half.module)  # what Accelerate wraps for a run ends with it


def test_fp16_without_a_gpu_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="fp16 needs a GPU: set it to no or bf16"):
        train_tiny(tmp_path, tiny_config(mixed_precision="fp16"))


def test_one_module_can_be_trained_again_for_another_run(tmp_path):
    task = TinyTask()
    train(task, tiny_config(mixed_precision="bf16"), tmp_path / "1", say=quiet)
    twice = TinyTask()
    twice.module.load_state_dict(task.module.state_dict())
    for again, folder in ((task, "2"), (twice, "3")):
        train(again, tiny_config(mixed_precision="bf16"), tmp_path / folder, say=quiet)

    assert same_bits(trained_weights(task), trained_weights(twice))


def test_global_random_state_is_left_as_it_was(tmp_path):
    task = TinyTask()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(task, tiny_config(n_steps=5), tmp_path, say=quiet)

    assert torch.equal(torch.rand(3), expected)


def test_gradient_checkpointing_is_asked_of_the_module(tmp_path):
    task, asked = TinyTask(), []
    task.module.enable_gradient_checkpointing = lambda: asked.append(True)
    train(task, tiny_config(n_steps=2, gradient_checkpointing=True), tmp_path, say=quiet)
    assert asked == [True]


def test_curves_are_logged_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_tiny(tmp_path, tiny_config(tracker="tensorboard"))
    events = EventAccumulator(str(tmp_path / "curves" / "tiny"))
    events.Reload()

    assert {"loss", "learning_rate", "samples_per_s", "validation/monitor"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss")] == [10, 20, 30, 40, 50, 60]


def test_missing_tensorboard_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        train_tiny(tmp_path, tiny_config(tracker="tensorboard"))


def test_lines_tell_of_validation_and_resuming(tmp_path):
    lines = []
    with pytest.raises(TrainingError):
        train(TinyTask(broken_from=30), tiny_config(), tmp_path, say=lines.append)
    train(TinyTask(), tiny_config(), tmp_path, say=lines.append)

    assert any(line.startswith("tiny: step 11, held-out monitor") for line in lines)
    assert any(line.startswith("tiny: goes on after step 28 of 60") for line in lines)


def test_without_a_terminal_a_line_now_and_then_tells_speed_loss_and_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    lines = []
    train(TinyTask(), tiny_config(), tmp_path, say=lines.append)

    assert re.fullmatch(r"tiny: step 1/60, loss \d\S*, \d+ samples/s, \d\d:\d\d left", lines[0])
    assert sum(" left" in line for line in lines) == 60


def test_averages_and_best_weights_are_refused_where_shards_cannot_honour_them(monkeypatch):
    accelerator = SimpleNamespace(distributed_type=DistributedType.FSDP)
    with pytest.raises(ConfigError, match=r"ema_decay does not work with DeepSpeed or FSDP"):
        check_sharding(accelerator, tiny_config(ema_decay=0.9))
    with pytest.raises(ConfigError, match=r"keep: best does not work with FSDP"):
        check_sharding(accelerator, tiny_config())
    check_sharding(accelerator, tiny_config(keep="last"))


def test_shards_are_clipped_by_the_norm_of_the_whole(tmp_path, monkeypatch):
    """Accelerate takes that norm only where it is given all parameters of the model; else each process takes its own."""
    task, config = TinyTask(), tiny_config(keep="last")
    engine = Engine(task, config, make_accelerator(config, tmp_path))
    given = []
    monkeypatch.setattr(engine, "_fsdp", True)
    monkeypatch.setattr(
        engine.accelerator, "clip_grad_norm_", lambda parameters, norm: given.extend(parameters)
    )
    engine.update(0, iterate(StepBatches(task, config, 0), pin_memory=False))
    assert [id(one) for one in given] == [id(one) for one in engine.model.parameters()]


def test_deepspeed_gets_the_share_of_a_process_and_the_clipping():
    plugin = SimpleNamespace(deepspeed_config={"train_micro_batch_size_per_gpu": "auto"})
    accelerator = SimpleNamespace(num_processes=2, state=SimpleNamespace(deepspeed_plugin=plugin))
    configure_deepspeed(
        accelerator, tiny_config(batch_size=24, gradient_accumulation_steps=3, max_grad_norm=None)
    )
    assert plugin.deepspeed_config == {
        "train_micro_batch_size_per_gpu": 4,
        "gradient_accumulation_steps": 3,
        "gradient_clipping": 0.0,
    }


@pytest.mark.slow
def test_compiled_module_trains_the_same_weights(tmp_path):
    plain = train_tiny(tmp_path / "plain", tiny_config(n_steps=12, keep="last"), dropout=0.0)
    compiled = train_tiny(
        tmp_path / "compiled", tiny_config(n_steps=12, keep="last", compile=True), dropout=0.0
    )

    for name, weight in plain.module.state_dict().items():
        torch.testing.assert_close(compiled.module.state_dict()[name], weight, rtol=1e-3, atol=1e-5)
