"""What each training minimises: modules whose forward gives (loss, figure to log)."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler, FluxPipeline, FluxTransformer2DModel
from torch import nn
from torch.nn.functional import l1_loss, mse_loss
from transformers import CLIPModel


class Autoencode(nn.Module):
    """Forward gives (loss, mean squared error) of reconstructing pictures (B, 3, height, width)."""

    def __init__(self, vae: AutoencoderKL, kl: float):
        super().__init__()
        self.vae, self.kl = vae, kl

    def forward(
        self, pictures: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        posterior = self.vae.encode(pictures).latent_dist
        output = self.vae.decode(posterior.sample(generator)).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        return l1_loss(output, pictures) + self.kl * kl, mse_loss(output, pictures)


class Denoise(nn.Module):
    """Text encoder and UNet as one module, so that both train jointly. Forward gives (loss, loss).

    A text encoder whose parameters need no gradient stays as it is.
    """

    def __init__(self, text_encoder: nn.Module, unet: nn.Module, scheduler: DDIMScheduler):
        super().__init__()
        self.text_encoder, self.unet, self.scheduler = text_encoder, unet, scheduler

    def forward(
        self, latents: torch.Tensor, tokens: torch.Tensor, noise: torch.Tensor, level: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """latents, noise: (B, 4, height, width); tokens: (B, length); level: (B,), the time in [0, 1]."""
        count = self.scheduler.config.num_train_timesteps
        timesteps = (level * count).long().clamp(0, count - 1)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        target = self.scheduler.get_velocity(latents, noise, timesteps)
        text = self.text_encoder(tokens)[0]  # (B, tokens, dim)
        loss = mse_loss(self.unet(noisy, timesteps, text, return_dict=False)[0], target)
        return loss, loss


class Flow(nn.Module):
    """Flow matching of FLUX's transformer, fed as `FluxPipeline` feeds it. Forward gives (loss, loss)."""

    def __init__(self, text_encoder: nn.Module, pooled: int, transformer: FluxTransformer2DModel):
        """`pooled`: width of the pooled vector, which is zero (see `models.build_silent_encoder`)."""
        super().__init__()
        self.text_encoder, self.pooled, self.transformer = text_encoder, pooled, transformer

    def forward(
        self, latents: torch.Tensor, tokens: torch.Tensor, noise: torch.Tensor, level: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """latents, noise: (B, 4, height, width); tokens: (B, length); level: (B,), the noise's share."""
        batch, channels, height, width = latents.shape
        share = level[:, None, None, None]
        packed = FluxPipeline._pack_latents(
            (1 - share) * latents + share * noise, batch, channels, height, width
        )
        target = FluxPipeline._pack_latents(noise - latents, batch, channels, height, width)
        text = self.text_encoder(tokens)[0]  # (B, tokens, dim)
        output = self.transformer(
            hidden_states=packed,  # (B, height / 2 x width / 2, 4 channels)
            encoder_hidden_states=text,
            pooled_projections=text.new_zeros(batch, self.pooled),
            timestep=level,
            img_ids=FluxPipeline._prepare_latent_image_ids(
                batch, height // 2, width // 2, text.device, text.dtype
            ),
            txt_ids=text.new_zeros(text.shape[1], 3),
            return_dict=False,
        )[0]
        loss = mse_loss(output, target)
        return loss, loss


class Contrast(nn.Module):
    """CLIP's contrastive loss. Forward gives (loss, share of captions that find their picture in the batch)."""

    def __init__(self, clip: CLIPModel):
        super().__init__()
        self.clip = clip

    def forward(self, pictures: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """pictures: (B, 3, height, width), normalised as CLIP's processor does; tokens: (B, length)."""
        output = self.clip(input_ids=tokens, pixel_values=pictures, return_loss=True)
        best = output.logits_per_text.argmax(1)
        right = (best == torch.arange(len(best), device=best.device)).float().mean()
        return output.loss, right
