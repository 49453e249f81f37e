"""Torch modules as networks that represent images: batches, one pass for all layers, nothing past the deepest one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tempgen.errors import MetricError, NetworkUnavailableError

__all__ = ["FunctionNetwork", "HookedNetwork", "TorchNetwork", "normalizer", "resized"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of each colour. Source: torchvision's weights, ``Weights.transforms()``; the same in all published evaluation codes."""
N_AT_ONCE = 16
"""Images in a batch. Source: house choice; on a CPU as fast as 8 or 64, and activations stay small."""

Prepare = Callable[[Tensor], Tensor]
"""Pixels (n, 3, height, width) in [0, 1] to what the first layer takes; may overwrite them."""


class TorchNetwork:
    """What all networks made of torch share: checks, batches and the arrays that layers are written into.

    Parameters
    ----------
    name, weights, preprocessing : str
        As in `tempgen.models.vision.VisionNetwork`.
    module : torch.nn.Module
        Frozen, set to evaluation and moved to the device in float32.
    prepare : callable, optional
        Pixels (n, 3, height, width) in [0, 1] to what the module takes.
    device : str, optional
        By default a GPU where there is one, else the CPU.
    n_at_once : int
        Images in a batch. Other batches can change the last digits of float32, nothing else does.
    smallest : int
        Pixels a side of the smallest images that the module takes.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        *,
        weights: str,
        preprocessing: str,
        prepare: Prepare | None = None,
        device: str | None = None,
        n_at_once: int = N_AT_ONCE,
        smallest: int = 1,
    ) -> None:
        self.name = name
        self.weights = weights
        self.preprocessing = preprocessing
        self.device = _usable(device, name)
        frozen: Any = module.requires_grad_(False).eval().to(self.device, torch.float32)
        self.module: Any = frozen.to(memory_format=torch.channels_last)  # Inception: 57 ms an image, not 92
        self._prepare = prepare
        self._n_at_once = n_at_once
        self._smallest = smallest

    def features(self, images: NDArray[np.float32], layers: Sequence[str]) -> dict[str, NDArray[Any]]:
        """What the layers say of images; see `tempgen.models.vision.VisionNetwork.features`."""
        _check(images, smallest=self._smallest, name=self.name)
        wanted = tuple(dict.fromkeys(layers))
        if not wanted:
            raise NetworkUnavailableError(f"no layer of the network {self.name!r} was asked for; name one.")
        self._check_layers(wanted)
        found: dict[str, NDArray[Any]] = {}
        for start in range(0, len(images), self._n_at_once):
            block = slice(start, start + self._n_at_once)

            def write(layer: str, values: Tensor, block: slice = block) -> None:
                """Into the layer's rows at once: later layers may work in place."""
                rows = values.flatten(1) if values.is_floating_point() else values
                if layer not in found:
                    kind = np.float32 if rows.is_floating_point() else rows.cpu().numpy().dtype
                    found[layer] = np.empty((len(images), *rows.shape[1:]), dtype=kind)
                torch.from_numpy(found[layer][block]).copy_(rows)

            with (
                torch.inference_mode(),
                # the same numbers each time, and on a GPU float32 all the way
                torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False),
            ):
                self._represent(self._pixels(images[block]), wanted, write)
        return {layer: found[layer] for layer in wanted}

    def _pixels(self, images: NDArray[np.float32]) -> Tensor:
        """Prepared pixels, a copy: modules may work in place. Channels stay last in memory."""
        pixels = (
            torch.from_numpy(np.array(images, dtype=np.float32, order="C")).to(self.device).movedim(-1, 1)
        )
        return pixels if self._prepare is None else self._prepare(pixels)

    def _check_layers(self, layers: Sequence[str]) -> None:
        raise NotImplementedError

    def _represent(self, pixels: Tensor, layers: Sequence[str], write: Callable[[str, Tensor], None]) -> None:
        raise NotImplementedError

    def _no_such_layer(self, layer: str, known: Sequence[str]) -> NetworkUnavailableError:
        return NetworkUnavailableError(
            f"the network {self.name!r} has no layer {layer!r}; it has {', '.join(known)}."
        )


class HookedNetwork(TorchNetwork):
    """Layers that are the outputs of modules within the network, read by forward hooks.

    Parameters
    ----------
    layers : mapping of str to str, optional
        Path of the module behind each layer's name; by default every module's own path is a layer's name.
    """

    def __init__(
        self, name: str, module: nn.Module, *, layers: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        super().__init__(name, module, **options)
        self._paths = dict(layers) if layers is not None else {path: path for path, _ in named(module)}

    def _check_layers(self, layers: Sequence[str]) -> None:
        for layer in layers:
            if layer not in self._paths:
                raise self._no_such_layer(layer, list(self._paths))

    def _represent(self, pixels: Tensor, layers: Sequence[str], write: Callable[[str, Tensor], None]) -> None:
        waiting = set(layers)

        def reader(layer: str) -> Callable[[nn.Module, Any, Any], None]:
            def read(module: nn.Module, inputs: Any, output: Any) -> None:
                if layer in waiting:
                    write(layer, output[0] if isinstance(output, tuple) else output)
                    waiting.discard(layer)
                if not waiting:
                    raise _Enough

            return read

        handles = [
            self.module.get_submodule(self._paths[layer]).register_forward_hook(reader(layer))
            for layer in layers
        ]
        try:
            self.module(pixels)
        except _Enough:
            return
        finally:
            for handle in handles:
                handle.remove()
        raise NetworkUnavailableError(
            f"the network {self.name!r} never runs {' or '.join(sorted(waiting))} on images; ask for another layer."
        )


class FunctionNetwork(TorchNetwork):
    """Layers that are functions of the prepared pixels.

    Parameters
    ----------
    functions : mapping of str to callable
        For each layer, pixels to floats (n, ...) or to labels, integers (n, rows, columns).
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        *,
        functions: Mapping[str, Callable[[Tensor], Tensor]],
        **options: Any,
    ) -> None:
        super().__init__(name, module, **options)
        self._functions = dict(functions)

    def _check_layers(self, layers: Sequence[str]) -> None:
        for layer in layers:
            if layer not in self._functions:
                raise self._no_such_layer(layer, list(self._functions))

    def _represent(self, pixels: Tensor, layers: Sequence[str], write: Callable[[str, Tensor], None]) -> None:
        for layer in layers:
            write(layer, self._functions[layer](pixels))


class _Enough(Exception):
    """Every layer asked for was reached; what lies deeper need not run."""


def named(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Modules within one, by their paths."""
    return [(path, part) for path, part in module.named_modules() if path]


def normalizer(mean: Sequence[float], std: Sequence[float]) -> Prepare:
    """Standardizes each colour in place: ``(pixels - mean) / std``."""
    means, stds = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std))

    def normalize(pixels: Tensor) -> Tensor:
        return pixels.sub_(means.to(pixels.device)).div_(stds.to(pixels.device))

    return normalize


def resized(pixels: Tensor, height: int, width: int, *, mode: str = "bilinear") -> Tensor:
    """Pixels in [0, 1] at another size, antialiased; themselves if they have it."""
    if tuple(pixels.shape[-2:]) == (height, width):
        return pixels
    small = functional.interpolate(pixels, size=(height, width), mode=mode, antialias=True)
    return small.clamp_(0, 1)  # bicubic weights overshoot


def _usable(device: str | None, name: str) -> torch.device:
    try:
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch without CUDA asserts
        raise NetworkUnavailableError(
            f"the network {name!r} cannot run on the device {device!r} ({str(error).splitlines()[0]}); "
            "give 'cpu', or no device."
        ) from error
    return chosen


def _check(images: NDArray[Any], *, smallest: int, name: str) -> None:
    if images.ndim != 4 or images.shape[-1] != 3 or not np.issubdtype(images.dtype, np.floating):
        raise MetricError(
            f"the network {name!r} was given {images.dtype} of shape {images.shape}; "
            "needed are floats in [0, 1] of shape (n, height, width, 3)."
        )
    if not len(images):
        raise MetricError(f"the network {name!r} was given no image.")
    if min(images.shape[1:3]) < smallest:
        raise MetricError(
            f"the network {name!r} was given images of {images.shape[1]} x {images.shape[2]} pixels and needs at least "
            f"{smallest} a side; resize them (suites do that with image_size)."
        )
