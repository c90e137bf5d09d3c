"""Prunes a trained model and a random one of each family, opens the results in every program,
and prints a Markdown table of how far each is from slimgpt's own figures.

    compare.py SLIMGPT MODEL CALIBRATION EVALUATION WORK

A program passes when its loss (mean of -log p over the same tokens) is within 1e-3 of slimgpt's
and 64 tokens made greedily are slimgpt's text; llama.cpp must also cut a long text into the same
tokens. Where the text parts, the table says by how much the
two tokens' logits differ in transformers at that place: flash attention of llama.cpp computes in
half precision, which decides between tokens that are as good as equal; that passes up to 1e-2.
Q8_0 rounds every weight to 8 bits, which moves the loss of so small a model by more than 1e-3,
whoever computes it; it passes within a hundredth of the loss, and its text is not compared.
"""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from transformers import AutoTokenizer
from transformers.utils import logging

import families
from programs import LlamaCpp, Mlx, Transformers, difference, quantise

CLOSE = 1e-3
CLOSE_Q8 = 1e-2  # of the loss
TIE = 1e-2
TOKENS = 128
GREEDY = 64
PROMPT = "Once upon a time, there was a little girl named Lily. She"


class Case:
    """One pruned model and everything made of it."""

    def __init__(self, name, slimgpt, source, calibration, evaluation, work, heads, *more):
        self.name, self.slimgpt, self.work = name, slimgpt, Path(work)
        self.folder = str(self.work / name)
        self.run("prune", source, "--out", self.folder, "--target", "0.35", "--heads", heads, "--samples", "32",
                 "--seq-len", "128", "--calibration", calibration, "--device", "cpu", "--dtype", "f32", *more)
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder, trust_remote_code=True)
        self.bos = json.loads(Path(self.folder, "config.json").read_text())["bos_token_id"]
        self.text = Path(evaluation).read_text()
        self.tokens = [self.bos] + self.tokenizer(self.text, add_special_tokens=False)["input_ids"][: TOKENS - 1]
        # slimgpt generate begins with the begin-of-sequence token too.
        self.prompt = [self.bos] + self.tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
        measured = self.run("ppl", self.folder, "--text", evaluation, "--seq-len", str(TOKENS), "--windows", "1",
                            "--bos", "each", "--device", "cpu", "--json")
        measured = json.loads(measured)
        self.loss = measured["nll"] / measured["tokens"]
        self.greedy = self.run("generate", self.folder, "--prompt", PROMPT, "--max-tokens", str(GREEDY), "--device", "cpu")

    def run(self, *arguments):
        done = subprocess.run([self.slimgpt, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"slimgpt {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def export(self, target, *more):
        """What an export makes of the folder; None where it refuses, with the reason printed."""
        out = str(self.work / f"{self.name}.{target}")
        try:
            self.run("export", target, self.folder, "--out", out, *more)
        except RuntimeError as error:
            print(f"{self.name}: no {target}: {str(error).split('error: ')[-1]}", file=sys.stderr)
            return None
        return out

    def is_same_text(self, tokens):
        """Whether these tokens, up to the end of the text, read as slimgpt's."""
        eos = self.tokenizer.eos_token_id
        tokens = tokens[: tokens.index(eos)] if eos in tokens else tokens
        ours = self.greedy.strip()
        theirs = self.tokenizer.decode(self.prompt + tokens, skip_special_tokens=True).strip()
        return ours == theirs or ours == theirs[len(PROMPT):].strip()

    def judge(self, program, close=CLOSE, greedy=True):
        """A cell of the table, and whether the program passed."""
        off = difference(program.loss(self.tokens), self.loss)
        if not greedy:
            return f"{off:.1e}", off <= close
        made = program.greedy(self.prompt, GREEDY)
        if self.is_same_text(made):
            return f"{off:.1e}, same text", off <= close
        at, gap = self.parting(made)
        return f"{off:.1e}, same text up to token {at}, where two logits are {gap:.0e} apart", off <= close and gap <= TIE

    def is_cut_alike(self, program):
        """Whether llama.cpp's tokenizer makes the tokens that tokenizer.json makes."""
        text = self.text[:20_000]
        return program.tokens_of(text) == self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def parting(self, made):
        """Where these tokens part from transformers' and how far the two logits are apart there."""
        judge = Transformers(self.folder)
        best = judge.greedy(self.prompt, GREEDY)
        at = next((i for i, (a, b) in enumerate(zip(best, made)) if a != b), None)
        if at is None:
            return len(made), float("inf")
        with torch.no_grad():
            logits = judge.model(torch.tensor([self.prompt + best[:at]])).logits[0, -1]
        return at, (logits[best[at]] - logits[made[at]]).item()


def saved_again(case):
    """transformers' own copy of the folder, opened again."""
    again = str(case.work / f"{case.name}-again")
    first = Transformers(case.folder)
    first.model.save_pretrained(again)
    for file in Path(case.folder).glob("*.py"):
        copy = Path(again, file.name)
        if not copy.exists():
            copy.write_text(file.read_text())
    return Transformers(again)


def columns(case):
    """The programs for a case: name, how to open it, how close it must be, whether text is compared."""
    yield "transformers", lambda: Transformers(case.folder), CLOSE, True
    yield "saved and reloaded", lambda: saved_again(case), CLOSE, True
    gguf = case.export("gguf", "--dtype", "f32")
    if gguf:
        yield "llama.cpp f32", lambda: LlamaCpp(gguf, False), CLOSE, True
        yield "llama.cpp f32, flash attention", lambda: LlamaCpp(gguf, True), CLOSE, True
        quantised = gguf + ".q8_0"
        quantise(gguf, quantised)
        yield "llama.cpp Q8_0", lambda: LlamaCpp(quantised, False), CLOSE_Q8 * case.loss, False
    padded = case.export("padded")
    if padded:
        yield "transformers, padded", lambda: Transformers(padded), CLOSE, True
        if not gguf:
            out = str(case.work / f"{case.name}-padded.gguf")
            case.run("export", "gguf", padded, "--out", out, "--dtype", "f32")
            yield "llama.cpp f32", lambda: LlamaCpp(out, False), CLOSE, True
    mlx = case.export("mlx") if installed("mlx-lm") else None
    if mlx:
        yield "mlx-lm", lambda: Mlx(mlx), CLOSE, True


def installed(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


HEADER = ["transformers", "saved and reloaded", "transformers, padded", "llama.cpp f32", "llama.cpp f32, flash attention",
          "llama.cpp Q8_0", "mlx-lm"]


def main(slimgpt, model, calibration, evaluation, work):
    logging.set_verbosity_error()
    torch.set_num_threads(2)
    cases = [("trained, K/V groups", model, "kv"), ("trained, query heads", model, "query")]
    names = ["mistral", "qwen2", "qwen3-tied", "qwen3", *families.OWN]
    cases += [(name, families.make(work, name, model), "kv") for name in names]
    packages = ["transformers", "torch", "llama-cpp-python", "mlx-lm"]
    print(", ".join(f"{p} {installed(p)}" for p in packages if installed(p)) + "\n")
    print("| model | slimgpt | " + " | ".join(HEADER) + " |")
    print("|---|---:|" + "---|" * len(HEADER))
    failed = []
    for name, source, heads in cases:
        # All heads of an OLMo 2 are normed together, so it keeps them.
        more = ["--head-ratio", "0"] if name == "olmo2" else []
        file = name.replace(", ", "-").replace(" ", "-").replace("/", "")
        case = Case(file, slimgpt, source, calibration, evaluation, work, heads, *more)
        cells = {}
        for column, program, close, greedy in columns(case):
            opened = program()
            cells[column], passed = case.judge(opened, close, greedy)
            failed += [] if passed else [f"{name}: {column}"]
            if isinstance(opened, LlamaCpp) and not case.is_cut_alike(opened):
                failed.append(f"{name}: {column} cuts the text into other tokens")
        print(f"| {name} | {case.loss:.6f} | " + " | ".join(cells.get(c, "–") for c in HEADER) + " |", flush=True)
    print("\nEach cell: |loss − slimgpt's|, and whether 64 greedy tokens read the same. – : the form is refused.")
    if failed:
        sys.exit("too far off: " + "; ".join(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
