"""Tokenizers of one token a word, and small random text encoders, in each kind that a family reads with."""

from __future__ import annotations

import torch
import transformers
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel

WORDS = "a red green blue circle square cat dog on in the left of and large small sitting under big old tree"
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MISTRAL_CHAT = (
    "<s>{% for m in messages %}{% if m['role'] == 'system' %}[SYSTEM_PROMPT]{{ m['content'][0]['text'] }}"
    "[/SYSTEM_PROMPT]{% else %}[INST]{{ m['content'][0]['text'] }}[/INST]{% endif %}{% endfor %}"
)


def word_tokenizer(
    specials: list[str],
    single: str = "$A",
    length: int = 77,
    side: str = "right",
    chat: str | None = None,
    **named,
) -> transformers.PreTrainedTokenizerFast:
    """One token a word. `specials` come first, so the first one has id 0."""
    vocabulary = {word: i for i, word in enumerate([*specials, "<unk>", *WORDS.split()])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if single != "$A":
        used = [(s, vocabulary[s]) for s in specials if s in single.split()]
        tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=used)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=length, unk_token="<unk>", padding_side=side, **named
    )
    fast.add_special_tokens({"additional_special_tokens": [s for s in specials if s.startswith(("<", "["))]})
    fast.chat_template = chat
    return fast


def clip_tokenizer(pad: str = "<|endoftext|>", length: int = 77) -> transformers.PreTrainedTokenizerFast:
    """CLIP's: begin, words, end; padded with the end token (SD 1) or with "!", id 0 (SD 2)."""
    return word_tokenizer(
        ["!", "<|startoftext|>", "<|endoftext|>"],
        "<|startoftext|> $A <|endoftext|>",
        length,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token=pad,
    )


def t5_tokenizer(length: int = 512) -> transformers.PreTrainedTokenizerFast:
    return word_tokenizer(["<pad>", "</s>"], "$A </s>", length, pad_token="<pad>", eos_token="</s>")


def gemma_tokenizer() -> transformers.PreTrainedTokenizerFast:
    return word_tokenizer(
        ["<pad>", "<eos>", "<bos>"], "<bos> $A", 8192, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>"
    )


def qwen_tokenizer() -> transformers.PreTrainedTokenizerFast:
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    named = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    return word_tokenizer(specials, length=2048, chat=CHAT, **named)


def bert_tokenizer(length: int = 77) -> transformers.PreTrainedTokenizerFast:
    return word_tokenizer(
        ["[PAD]", "[CLS]", "[SEP]"],
        "[CLS] $A [SEP]",
        length,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def clip_encoder(
    tokenizer: transformers.PreTrainedTokenizerFast, width: int = 16, projection: bool = False
) -> torch.nn.Module:
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel)(config)


def t5_encoder(width: int = 32, kind: str = "T5") -> torch.nn.Module:
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=64, d_model=width, d_kv=8, d_ff=32, num_layers=2, num_heads=2, dropout_rate=0.0
    )
    return getattr(transformers, f"{kind}EncoderModel")(config)


def language_model(kind: str, width: int = 16, model: str = "Model", **more: object) -> torch.nn.Module:
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=64,
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        pad_token_id=0,
        **more,
    )
    return getattr(transformers, f"{kind}{model}")(config)


def qwen25_vl() -> torch.nn.Module:
    return transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(
            text_config={
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "vocab_size": 64,
                "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
                "rope_theta": 1000000.0,
            },
            vision_config={
                "depth": 1,
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_heads": 2,
                "out_hidden_size": 16,
            },
            vision_start_token_id=61,
            vision_end_token_id=62,
            image_token_id=63,
            video_token_id=60,
        )
    )


def qwen3_vl() -> torch.nn.Module:
    """With the hidden states of 3 layers and of the embedding."""
    text = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": 64,
        "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1000000.0},
    }
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
    return transformers.Qwen3VLModel(
        transformers.Qwen3VLConfig(text_config=text, vision_config=vision | {"deepstack_visual_indexes": []})
    )


def llama() -> torch.nn.Module:
    """Attends eagerly: HiDream asks for its attentions too."""
    return language_model("Llama", model="ForCausalLM", attn_implementation="eager")


def t5_gemma(width: int = 16) -> torch.nn.Module:
    from transformers.models.t5gemma import T5GemmaModuleConfig
    from transformers.models.t5gemma.modeling_t5gemma import T5GemmaEncoder

    return T5GemmaEncoder(
        T5GemmaModuleConfig(
            vocab_size=64,
            hidden_size=width,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            dropout_rate=0.0,
        )
    )


def llama_tokenizer() -> transformers.PreTrainedTokenizerFast:
    return word_tokenizer(
        ["<|begin_of_text|>", "<|eot_id|>"],
        "<|begin_of_text|> $A",
        2048,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
    )


def count(tokenizer: transformers.PreTrainedTokenizerFast, text: str) -> int:
    """Tokens of a text: our words are longer than real pieces, so pipelines' own numbers do not hold."""
    return len(tokenizer(text, add_special_tokens=False).input_ids)


class TextProcessor:
    """A processor of text and pictures, of which a text-to-image pipeline needs the tokenizer."""

    def __init__(self, tokenizer: transformers.PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer

    def __call__(self, text: list[str], images: None, videos: None, **options: object) -> object:
        return self.tokenizer(text, **options)
