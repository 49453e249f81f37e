"""What every backbone offers: encode, decode, tokens, denoise; the frozen parts behind it are diffusers objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempgen.errors import BackboneError

PARTS = ("vae", "unet", "image_encoder")


@dataclass(frozen=True)
class BackboneSpec:
    """The sizes and the identity of a backbone; saved with each decoder and compared on loading.

    Parameters
    ----------
    name : str
        ``"versatile-diffusion"`` or ``"scenes"``.
    image_size : int
        Side of the square images that it encodes and decodes, in pixels.
    latent_shape : tuple of int
        Channels, height and width of one image's latents.
    n_tokens, token_dim : int
        Shape of one image's conditioning tokens.
    revision : str
        Revision of the hub's repository, or fingerprint of the weights in a folder.
    """

    name: str
    image_size: int
    latent_shape: tuple[int, int, int]
    n_tokens: int
    token_dim: int
    revision: str


class LatentMoments(NamedTuple):
    """Gaussian posterior of the VAE over latents, each (n, channels, height, width), in the units of the UNet."""

    mean: Tensor
    logvar: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Latents drawn from the posterior: ``mean + std * noise``, for standard normal noise of the mean's shape."""
        return self.mean + torch.exp(0.5 * self.logvar) * noise


class Backbone(nn.Module):
    """A frozen latent diffusion model conditioned on an image's tokens: VAE, UNet, scheduler and image encoder.

    Parts that were not loaded are None; the methods that need one say which. All parameters are frozen, and the module
    stays in evaluation mode; adapters make parameters of ``unet`` trainable afterwards.

    Images are (n, 3, height, width) floats in [0, 1]. Latents are in the units that the UNet was trained on:
    ``(z - latent_shift) * latent_scale`` for the VAE's own z. Methods cast their input to the dtype of the part.

    Parameters
    ----------
    spec : BackboneSpec
        Sizes and identity.
    scheduler : object
        A diffusers scheduler with the betas of the training.
    unet, vae, image_encoder : module, optional
        ``UNet2DConditionModel``, ``AutoencoderKL`` and the module that ``tokens`` reads.
    latent_scale, latent_shift : float or tensor, optional
        One number, or one per channel of the latents.
    """

    # diffusers' and transformers' classes are imported where they are loaded; here they stay plain modules.
    unet: Any
    vae: Any
    image_encoder: Any
    scheduler: Any

    def __init__(
        self,
        spec: BackboneSpec,
        *,
        scheduler: Any,
        unet: nn.Module | None = None,
        vae: nn.Module | None = None,
        image_encoder: nn.Module | None = None,
        latent_scale: float | Tensor = 1.0,
        latent_shift: float | Tensor = 0.0,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.scheduler = scheduler
        self.unet, self.vae, self.image_encoder = unet, vae, image_encoder
        # Not buffers: `.to(bfloat16)` would round them.
        self._latent_scale = torch.as_tensor(latent_scale, dtype=torch.float32).reshape(-1, 1, 1)
        self._latent_shift = torch.as_tensor(latent_shift, dtype=torch.float32).reshape(-1, 1, 1)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode whatever is asked: the backbone is frozen."""
        return super().train(False)

    # A subclass with other pixels or conditions overrides these three, and `tokens`.

    def to_vae(self, images: Tensor) -> Tensor:
        """The VAE's input for images (n, 3, image_size, image_size) in [0, 1]: here the pixels in [-1, 1]."""
        return images * 2 - 1

    def from_vae(self, decoded: Tensor) -> Tensor:
        """Images (n, 3, image_size, image_size) of the VAE's output; `decode` clips them to [0, 1]."""
        return decoded / 2 + 0.5

    def unet_arguments(self, latents: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """How the UNet takes noisy latents and tokens: as keyword arguments of its call."""
        return {"sample": latents, "encoder_hidden_states": tokens}

    @torch.no_grad()
    def encode(self, images: Tensor) -> LatentMoments:
        """Posterior over latents.

        Parameters
        ----------
        images : Tensor, shape (n, 3, side, side)
            In [0, 1]. Another side than ``spec.image_size`` is resized bilinearly (antialiased), as the paper did.

        Returns
        -------
        LatentMoments
            float32, each (n, *spec.latent_shape), in UNet units.

        Raises
        ------
        BackboneError
            If the images have another shape, or the VAE was not loaded.
        """
        vae = self._loaded("vae")
        check_images(images, square=True)
        side = self.spec.image_size
        pixels = images.float()
        if images.shape[-1] != side:
            pixels = functional.interpolate(
                pixels, size=(side, side), mode="bilinear", antialias=True, align_corners=False
            ).clamp(0, 1)
        posterior = vae.encode(_as_input_of(vae, self.to_vae(pixels))).latent_dist
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        scale, shift = (each.to(mean.device) for each in (self._latent_scale, self._latent_shift))
        return LatentMoments((mean - shift) * scale, logvar + 2 * torch.log(scale.abs()))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents.

        Parameters
        ----------
        latents : Tensor, shape (n, *spec.latent_shape)
            In UNet units.

        Returns
        -------
        Tensor, shape (n, 3, image_size, image_size)
            float32 in [0, 1].

        Raises
        ------
        BackboneError
            If the latents have another shape, or the VAE was not loaded.
        """
        vae = self._loaded("vae")
        self._check_latents(latents)
        scale, shift = (each.to(latents.device) for each in (self._latent_scale, self._latent_shift))
        decoded = vae.decode(_as_input_of(vae, latents.float() / scale + shift)).sample
        return self.from_vae(decoded.float()).clamp(0, 1)

    def tokens(self, images: Tensor) -> Tensor:
        """Conditioning tokens of images, float32 (n, n_tokens, token_dim); each backbone has its own."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its tokens are computed")

    def denoise(self, latents: Tensor, timesteps: Tensor | int, tokens: Tensor) -> Tensor:
        """Noise that the UNet predicts in latents; gradients reach tokens, latents and adapters.

        Parameters
        ----------
        latents : Tensor, shape (n, *spec.latent_shape)
            Noisy latents in UNet units.
        timesteps : Tensor of int, shape (n,) or (), or int
            From 0 to the scheduler's number of training steps - 1.
        tokens : Tensor, shape (n, n_tokens, token_dim)
            The condition.

        Returns
        -------
        Tensor, shape (n, *spec.latent_shape)
            Predicted epsilon, in the dtype of ``latents``.

        Raises
        ------
        BackboneError
            If a shape is not the backbone's, or the UNet was not loaded.
        """
        unet = self._loaded("unet")
        self._check_latents(latents)
        expected = (len(latents), self.spec.n_tokens, self.spec.token_dim)
        if tuple(tokens.shape) != expected:
            raise BackboneError(
                f"the condition has shape {tuple(tokens.shape)}, but {self.spec.name} takes {expected} "
                "(images, tokens, values of a token). Use tokens made for this backbone."
            )
        dtype = unet.conv_in.weight.dtype  # not of the adapter, which stays float32
        arguments = self.unet_arguments(latents.to(dtype), tokens.to(dtype))
        predicted = unet(timestep=timesteps, **arguments).sample
        return predicted.to(latents.dtype)

    def null_tokens(self, n: int) -> Tensor:
        """Tokens of no condition: zeros (n, n_tokens, token_dim), as in the released code of Dynadiff."""
        return torch.zeros(n, self.spec.n_tokens, self.spec.token_dim, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    @property
    def alphas_cumprod(self) -> Tensor:
        """Share of signal variance at each timestep of the training, float32 (n_train_timesteps,)."""
        alphas: Tensor = self.scheduler.alphas_cumprod.to(self.device, torch.float32)
        return alphas

    def _loaded(self, part: str) -> Any:
        module = getattr(self, part)
        if module is None:
            raise BackboneError(
                f"the backbone {self.spec.name} was loaded without its {part}, which this needs; "
                f"name it among the parts: load_backbone(..., parts=(..., {part!r}))."
            )
        return module

    def _check_latents(self, latents: Tensor) -> None:
        if latents.ndim != 4 or tuple(latents.shape[1:]) != self.spec.latent_shape:
            raise BackboneError(
                f"latents have shape {tuple(latents.shape)}, but {self.spec.name} has latents of "
                f"(n, {', '.join(map(str, self.spec.latent_shape))}). Use latents of this backbone."
            )


def check_images(images: Tensor, *, square: bool = False) -> None:
    """Refuse what is not a batch of colour images.

    Raises
    ------
    BackboneError
        If the shape is not (n, 3, height, width), the images must be square and are not, or the values are integers.
    """
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[1] != 3 or 0 in shape[2:]:
        raise BackboneError(
            f"images have shape {shape}; needed is (n, 3, height, width): move the channels first."
        )
    if square and shape[2] != shape[3]:
        raise BackboneError(f"images are {shape[2]} x {shape[3]} px; needed are squares: crop them first.")
    if not images.is_floating_point():
        raise BackboneError(f"images are {images.dtype}; needed are floats in [0, 1]: divide bytes by 255.")


def _as_input_of(part: nn.Module, values: Tensor) -> Tensor:
    """Values in the dtype and on the device of a part's weights."""
    parameter = next(part.parameters())
    return values.to(parameter.device, parameter.dtype)
