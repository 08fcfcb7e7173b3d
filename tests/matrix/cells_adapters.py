"""Adapters: LoRA and its kin, IP-Adapter, textual inversion, FreeU, prompts as embeddings."""

import copy

import torch
from diffusers.image_processor import IPAdapterMaskProcessor
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from fouriscale import fouriscale
from tests.matrix.cell import LAYERWISE, Setting, cell
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import call, mask

GROUP = "Adapters"
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
CONVOLUTIONS = ("conv1", "conv2")


def lora(family, targets, seed=5, **settings):
    """A LoRA file's content for the family's UNet, with weights that show."""
    unet = models.unet(family)
    torch.manual_seed(seed)
    unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=list(targets), **settings))
    for name, value in unet.named_parameters():
        if "lora_" in name and "magnitude" not in name:
            torch.nn.init.normal_(value, std=0.3)
    return {f"unet.{k}": v for k, v in get_peft_model_state_dict(unet).items()}


def own(family):
    """A pipeline with a UNet of its own, since peft rebuilds the layers that it wraps."""
    return models.pipeline(family, unet=models.unet(family))


def loaded(family, targets, **settings):
    pipe = own(family)
    pipe.load_lora_weights(lora(family, targets, **settings), adapter_name="one")
    return pipe


def sampling(pipe, **changes):
    return Setting(pipe, lambda: pipe(**call(**changes)).images)


@cell(GROUP, "LoRA on attention, loaded before")
def attention_before(family):
    return sampling(loaded(family, ATTENTION))


@cell(GROUP, "LoRA on convolutions, loaded before")
def convolutions_before(family):
    return sampling(loaded(family, CONVOLUTIONS))


@cell(GROUP, "LoRA on attention and convolutions, loaded and unloaded while applied")
def loaded_while_applied(family):
    pipe, weights = own(family), lora(family, ATTENTION + CONVOLUTIONS)

    def run():
        pipe.load_lora_weights(weights, adapter_name="one")
        image = pipe(**call()).images
        pipe.unload_lora_weights()
        return image

    return Setting(pipe, run)


def unloaded_setting(family):
    pipe, weights, plain = own(family), lora(family, ATTENTION + CONVOLUTIONS), own(family)

    def run():
        pipe.load_lora_weights(weights, adapter_name="one")
        pipe(**call())
        pipe.unload_lora_weights()
        return pipe(**call()).images

    def expected(config):
        with fouriscale(plain, config):
            return plain(**call()).images

    return Setting(pipe, run, expected=expected, equals="no LoRA")


cell(GROUP, "LoRA unloaded while applied")(unloaded_setting)
cell(LAYERWISE, "LoRA unloaded while applied", modes=("layerwise",))(unloaded_setting)


@cell(GROUP, "LoRA loaded before and unloaded while applied")
def unloaded_after(family):
    pipe, plain, weights = own(family), own(family), lora(family, ATTENTION + CONVOLUTIONS)
    pipe.load_lora_weights(weights, adapter_name="one")

    def run():
        pipe.unload_lora_weights()
        image = pipe(**call()).images
        pipe.load_lora_weights(weights, adapter_name="one")
        return image

    def expected(config):
        with fouriscale(plain, config):
            return plain(**call()).images

    return Setting(pipe, run, expected=expected, equals="no LoRA")


@cell(GROUP, "LoRA fused")
def fused(family):
    separate = loaded(family, ATTENTION + CONVOLUTIONS)
    pipe = loaded(family, ATTENTION + CONVOLUTIONS)
    pipe.fuse_lora()

    def expected(config):
        with fouriscale(separate, config):
            return separate(**call()).images

    setting = sampling(pipe)
    setting.expected, setting.equals = expected, "LoRA not fused"
    return setting


@cell(GROUP, "LoRA with a scale of the call")
def scaled(family):
    return sampling(loaded(family, ATTENTION + CONVOLUTIONS), cross_attention_kwargs={"scale": 0.4})


@cell(GROUP, "two LoRAs with weights")
def two(family):
    pipe = loaded(family, ATTENTION)
    pipe.load_lora_weights(lora(family, ATTENTION + CONVOLUTIONS, seed=6), adapter_name="other")
    pipe.set_adapters(["one", "other"], [0.7, 0.3])
    return sampling(pipe)


@cell(GROUP, "DoRA on attention and convolutions")
def dora(family):
    pipe = own(family)
    pipe.load_lora_weights(lora(family, ATTENTION + CONVOLUTIONS, use_dora=True), adapter_name="one")
    return sampling(pipe)


def ip_adapter(family):
    """A pipeline with an IP-Adapter, and the embeddings of a picture."""
    pipe = own(family)
    torch.manual_seed(7)
    layers = [m.to_k for n, m in pipe.unet.named_modules() if n.endswith("attn2")]
    width = 12
    projection = {
        "proj.weight": torch.randn(4 * 32, width) / 4,
        "proj.bias": torch.zeros(4 * 32),
        "norm.weight": torch.ones(32),
        "norm.bias": torch.zeros(32),
    }
    attention = {
        f"{2 * i + 1}.to_{k}_ip.weight": torch.randn(layer.out_features, 32) / 4
        for i, layer in enumerate(layers)
        for k in "kv"
    }
    pipe.load_ip_adapter(
        {"image_proj": projection, "ip_adapter": attention},
        subfolder="",
        weight_name="",
        image_encoder_folder=None,
    )
    return pipe, torch.randn(2, 1, width)


@cell(GROUP, "IP-Adapter")
def ip(family):
    pipe, embeds = ip_adapter(family)
    return sampling(pipe, ip_adapter_image_embeds=[embeds])


@cell(GROUP, "IP-Adapter with a mask")
def ip_masked(family):
    pipe, embeds = ip_adapter(family)
    masks = IPAdapterMaskProcessor().preprocess([mask()], height=256, width=256)
    return sampling(
        pipe, ip_adapter_image_embeds=[embeds], cross_attention_kwargs={"ip_adapter_masks": [masks]}
    )


@cell(GROUP, "textual inversion", ["SD"])
def textual_inversion(family):
    changes = {name: copy.deepcopy(models.parts(family)[name]) for name in ("tokenizer", "text_encoder")}
    pipe = models.pipeline(family, **changes)
    torch.manual_seed(8)
    pipe.load_textual_inversion({"<lamp>": torch.randn(1, 32)}, token="<lamp>")
    return sampling(pipe, prompt="a <lamp>")


@cell(GROUP, "FreeU")
def freeu(family):
    pipe = own(family)
    pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    return sampling(pipe)


def encoded(pipe, family, weight=1.0):
    """Arguments of a call with embeddings instead of texts, the prompt's weighted as compel does."""
    made = pipe.encode_prompt(
        "a lighthouse", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True
    )
    names = [
        "prompt_embeds",
        "negative_prompt_embeds",
        "pooled_prompt_embeds",
        "negative_pooled_prompt_embeds",
    ]
    values = dict(zip(names, made, strict=False))
    mean = values["prompt_embeds"].mean(dim=1, keepdim=True)
    values["prompt_embeds"] = mean + weight * (values["prompt_embeds"] - mean)
    return values


@cell(GROUP, "prompt embeddings passed in")
def embeds(family):
    pipe = models.pipeline(family)
    setting = sampling(pipe, **encoded(pipe, family))

    def expected(_):
        return pipe(**call()).images

    setting.expected, setting.equals = expected, "the prompt as text"
    return setting


@cell(GROUP, "weighted prompt embeddings")
def weighted(family):
    pipe = models.pipeline(family)
    return sampling(pipe, **encoded(pipe, family, weight=1.3))


@cell(
    GROUP,
    "fused attention projections",
    refused=r"projections are fused.*call pipe\.unfuse_qkv_projections\(\) first",
)
def fused_projections(family):
    pipe = own(family)
    pipe.fuse_qkv_projections(vae=False)  # the VAE is the session's
    return Setting(pipe, run=None)
