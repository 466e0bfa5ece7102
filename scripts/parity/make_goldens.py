#!/usr/bin/env python3
"""Makes the reference data of the tests with diffusers and transformers.

    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_goldens.py tests/data

Writes `tiny/`, a Stable Diffusion 1 in diffusers' folder layout with random weights (about 1 MB),
and `golden.safetensors`, what the reference implementations compute with it; the versions that did
are in its metadata. Everything is seeded: the same versions write the same values.
"""

import json
import sys
from pathlib import Path

import diffusers
import sentencepiece
import torch
import transformers
from diffusers import (AutoencoderKL, DDIMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline,
                       UNet2DConditionModel)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

TEXT_WIDTH = 32
POSITIONS = 77
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
WORDS = "a photo of person portrait rendering robot snow in the hat wearing smiling man woman with hair red".split()


def make_tokenizer(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder / "corpus.txt"
    lines = [f"{a} {b} {c}" for a in WORDS for b in WORDS for c in WORDS[:5]]
    corpus.write_text("\n".join(lines))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "spiece"), vocab_size=400, model_type="bpe",
        byte_fallback=True, hard_vocab_limit=False, character_coverage=1.0,
        normalization_rule_name="nmt_nfkc_cf", minloglevel=2)
    corpus.unlink()
    (folder / "spiece.vocab").unlink()
    settings = dict(tokenizer_class="sentencepiece", unk=0, bos=1, eos=2, pad=2, lower_case=True,
                    model_max_length=POSITIONS)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model")).get_piece_size()


def make_models(vocabulary: int):
    torch.manual_seed(0)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=TEXT_WIDTH, intermediate_size=64, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=POSITIONS, hidden_act="quick_gelu",
        bos_token_id=1, eos_token_id=2, pad_token_id=2))
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=2, norm_num_groups=8)
    vae = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=(8, 8, 16, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4,
        sample_size=64)
    # Norms and biases start at one and zero; moved away, a mix-up of two of them shows.
    for part in (text, unet, vae):
        for parameter in part.parameters():
            if parameter.dim() == 1:
                parameter.data += 0.2 * torch.randn_like(parameter)
        part.eval().requires_grad_(False)
    return text, unet, vae


def model_goldens(text, unet, vae) -> dict:
    torch.manual_seed(1)
    golden = {}
    ids = torch.randint(3, 300, (2, POSITIONS))
    hidden = text(ids, output_hidden_states=True).hidden_states
    norm = (text.text_model if hasattr(text, "text_model") else text).final_layer_norm
    golden["text.ids"] = ids
    for skip in range(3):
        golden[f"text.out.{skip}"] = norm(hidden[len(hidden) - 1 - skip])

    for name, (batch, height, width) in {"square": (2, 8, 8), "wide": (3, 6, 10), "odd": (1, 7, 9)}.items():
        sample = torch.randn(batch, 4, height, width)
        timestep = torch.randint(0, 1000, (batch,))
        context = torch.randn(batch, POSITIONS, TEXT_WIDTH, requires_grad=True)
        output = unet(sample, timestep, context).sample
        weight = torch.randn_like(output)
        (gradient,) = torch.autograd.grad((output * weight).sum(), context)
        values = dict(sample=sample, timestep=timestep, context=context, out=output, weight=weight,
                      context_gradient=gradient)
        golden |= {f"unet.{name}.{key}": value.detach() for key, value in values.items()}

    image = torch.rand(2, 3, 64, 48) * 2 - 1
    latents = torch.randn(2, 4, 8, 6)
    golden["vae.image"] = image
    golden["vae.moments"] = vae.encode(image).latent_dist.parameters
    golden["vae.latents"] = latents
    golden["vae.decoded"] = vae.decode(latents).sample
    return golden


def chunks_of(segments: list, tokenizer, vectors: torch.Tensor):
    """Ids [S] and (position, row) of the vectors, for segments that are texts or None for the word that is learnt."""
    room, chunks, splices = POSITIONS - 2, [[]], []
    for segment in segments:
        pieces = [list(range(len(vectors)))] if segment is None else [[i] for i in tokenizer.encode(segment)]
        for piece in pieces:
            if len(chunks[-1]) + len(piece) > room:
                chunks.append([])
            if segment is None:
                at = (len(chunks) - 1) * POSITIONS + 1 + len(chunks[-1])
                splices += [(at + k, k) for k in piece]
                piece = [2] * len(piece)
            chunks[-1] += piece
    ids = [i for chunk in chunks for i in ([1] + chunk + [2] * (POSITIONS - 1 - len(chunk)))]
    return torch.tensor(ids), splices


def context_of(segments: list, tokenizer, vectors: torch.Tensor, text) -> torch.Tensor:
    ids, splices = chunks_of(segments, tokenizer, vectors)
    table = (text.text_model if hasattr(text, "text_model") else text).embeddings.token_embedding
    embedded = table(ids)
    if splices:
        embedded = embedded.index_put((torch.tensor([p for p, _ in splices]),), vectors[[row for _, row in splices]])
    chunks = embedded.reshape(-1, POSITIONS, TEXT_WIDTH)
    # The transformer itself, fed with vectors: what a pipeline computes after its token table.
    positions = (text.text_model if hasattr(text, "text_model") else text).embeddings.position_embedding.weight
    hidden = chunks + positions
    inner = text.text_model if hasattr(text, "text_model") else text
    mask = torch.full((POSITIONS, POSITIONS), float("-inf")).triu(1)[None, None].expand(len(chunks), 1, -1, -1)
    for layer in inner.encoder.layers:
        out = layer(hidden, mask)
        hidden = out[0] if isinstance(out, tuple) else out
    return inner.final_layer_norm(hidden).reshape(1, -1, TEXT_WIDTH)


LONG = ("a photo of a person in the snow with red hair wearing a hat smiling " * 5).strip()


def splice_goldens(text, unet, tokenizer) -> dict:
    """Gradient of the loss in the vectors of a word that stands in two chunks."""
    torch.manual_seed(3)
    golden = {}
    for count in (1, 4):
        vectors = (torch.randn(count, TEXT_WIDTH) * .1).requires_grad_(True)
        context = context_of(["a photo of ", None, " " + LONG + " and ", None, " in the hat"], tokenizer, vectors, text)
        assert context.shape[1] == 2 * POSITIONS
        sample, noise, timestep = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), torch.tensor([421])
        loss = (unet(sample, timestep, context).sample - noise).pow(2).mean()
        (gradient,) = torch.autograd.grad(loss, vectors)
        values = dict(vectors=vectors, sample=sample, noise=noise, timestep=timestep, loss=loss, gradient=gradient)
        golden |= {f"splice.{count}.{key}": value.detach().contiguous() for key, value in values.items()}
    return golden


def picture_goldens(text, unet, vae, tokenizer) -> dict:
    """Whole pictures from given latents: diffusers' pipeline, 20 steps, guidance 7.5."""
    torch.manual_seed(4)
    latents = torch.randn(1, 4, 8, 8)
    prompt = context_of(["a portrait of a man in the snow"], tokenizer, torch.zeros(0, TEXT_WIDTH), text)
    negative = context_of([""], tokenizer, torch.zeros(0, TEXT_WIDTH), text)
    golden = {"picture.latents": latents}
    for sampler, scheduler in {"ddim": DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
                               "dpmpp_2m": DPMSolverMultistepScheduler(**BETAS, steps_offset=1)}.items():
        pipeline = StableDiffusionPipeline(
            vae=vae, text_encoder=None, tokenizer=None, unet=unet, scheduler=scheduler, safety_checker=None,
            feature_extractor=None, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        picture = pipeline(prompt_embeds=prompt, negative_prompt_embeds=negative, latents=latents.clone(),
                           num_inference_steps=20, guidance_scale=7.5, height=64, width=64, output_type="pt").images
        golden[f"picture.{sampler}"] = (picture * 255).round().to(torch.uint8)
    return golden


def main(folder: Path) -> None:
    tiny = folder / "tiny"
    vocabulary = make_tokenizer(tiny / "tokenizer")
    text, unet, vae = make_models(vocabulary)
    vae.register_to_config(scaling_factor=0.5)
    for part, name in ((text, "text_encoder"), (unet, "unet"), (vae, "vae")):
        part.save_pretrained(tiny / name)
    DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1).save_pretrained(tiny / "scheduler")
    (tiny / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}, indent=1))
    words = sentencepiece.SentencePieceProcessor(model_file=str(tiny / "tokenizer/spiece.model"))
    golden = model_goldens(text, unet, vae)
    golden |= splice_goldens(text, unet, words) | picture_goldens(text, unet, vae, words)
    versions = dict(diffusers=diffusers.__version__, transformers=transformers.__version__, torch=torch.__version__)
    save_file({key: value.contiguous() for key, value in golden.items()}, folder / "golden.safetensors", versions)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
