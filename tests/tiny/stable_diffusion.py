"""What small pipelines of Stable Diffusion and XL share: the scheduler, and an autoencoder of factor 8."""

from diffusers import AutoencoderKL, DDIMScheduler


def scheduler():
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def autoencoder():
    """Random weights; for most tests only its factor and its latent channels matter."""
    return AutoencoderKL(
        block_out_channels=(4,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=2,
        latent_channels=4,
        sample_size=128,
    ).eval()
