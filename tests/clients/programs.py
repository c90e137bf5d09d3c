"""The programs that open what slimgpt writes, each behind the same two questions: what does a
token list lose, and how does it go on greedily?"""

import contextlib
import math
import os

import numpy as np
import torch


def loss(logits, tokens):
    """Mean of -log p of every token but the first; `logits` is (tokens, vocabulary)."""
    log_p = torch.from_numpy(np.asarray(logits, dtype=np.float64)).log_softmax(-1)
    return -log_p[range(len(tokens) - 1), tokens[1:]].mean().item()


class Transformers:
    """transformers, with the Python files of the folder where it has some."""

    def __init__(self, folder):
        from transformers import AutoModelForCausalLM

        self.model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()

    def loss(self, tokens):
        with torch.no_grad():
            return loss(self.model(torch.tensor([tokens])).logits[0].numpy(), tokens)

    def greedy(self, tokens, count):
        with torch.no_grad():
            made = self.model.generate(
                torch.tensor([tokens]), max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=0
            )
        return made[0, len(tokens):].tolist()


class LlamaCpp:
    """llama.cpp through llama-cpp-python."""

    def __init__(self, file, flash):
        from llama_cpp import Llama

        # The usual f16 cache would round keys and values, which is not what is compared here.
        f32 = 0
        with quiet():
            self.model = Llama(
                file, n_ctx=512, logits_all=True, flash_attn=flash, type_k=f32, type_v=f32, verbose=False
            )

    def loss(self, tokens):
        return loss(self.logits(tokens), tokens)

    def logits(self, tokens):
        with quiet():
            self.model.reset()
            self.model.eval(tokens)
        return self.model.scores[: len(tokens)]

    def greedy(self, tokens, count):
        made, logits = [], self.logits(tokens)[-1]
        for _ in range(count):
            made.append(int(logits.argmax()))
            with quiet():
                self.model.eval(made[-1:])
            logits = self.model.scores[self.model.n_tokens - 1]
        return made

    def tokens_of(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=False)


class Mlx:
    """mlx-lm."""

    def __init__(self, folder):
        from pathlib import Path

        import mlx.core as mx
        from mlx_lm.utils import load_model

        mx.set_default_device(mx.cpu)
        self.mx, (self.model, _) = mx, load_model(Path(folder))

    def logits(self, tokens):
        return np.array(self.model(self.mx.array([tokens])).astype(self.mx.float32)[0])

    def loss(self, tokens):
        return loss(self.logits(tokens), tokens)

    def greedy(self, tokens, count):
        made = []
        for _ in range(count):
            made.append(int(self.logits(tokens + made)[-1].argmax()))
        return made


def quantise(source, out):
    """Q8_0 by llama.cpp's own quantiser."""
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    with quiet():
        code = llama_cpp.llama_model_quantize(source.encode(), out.encode(), parameters)
    if code != 0:
        raise RuntimeError(f"llama.cpp could not quantise {source}: {code}")


@contextlib.contextmanager
def quiet():
    """llama.cpp writes to the file descriptor; nothing of that belongs in the table."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def difference(a, b):
    """|a - b|, infinite where one is not a number."""
    off = abs(a - b)
    return math.inf if math.isnan(off) else off
