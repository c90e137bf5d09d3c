"""Recovers a pruned model and opens both forms of the result with transformers and peft.

    recover.py SLIMGPT MODEL CALIBRATION.txt EVAL.txt WORK

The merged folder, and the adapter on its model, give the losses that slimgpt measures, to 1e-5.
"""

import json
import subprocess
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

TOLERANCE = 1e-5
WINDOWS, LENGTH = 8, 128


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def loss(model, windows):
    """Mean -log p of every token of the windows but the first of each."""
    with torch.no_grad():
        logits = model(torch.tensor(windows)).logits.double()
    log_p = logits[:, :-1].log_softmax(-1)
    return -log_p.gather(2, torch.tensor(windows)[:, 1:, None]).mean().item()


def main():
    slimgpt, model, calibration, evaluation, work = sys.argv[1:]
    slim, recovered = f"{work}/to-recover", f"{work}/recovered"
    device = ["--device", "cpu"]
    run(slimgpt, "prune", model, "--out", slim, "--target", "0.2", "--calibration", calibration,
        "--samples", "16", "--seq-len", "128", *device)
    run(slimgpt, "recover", slim, "--data", calibration, "--out", recovered, "--steps", "10", "--batch", "8",
        "--seq-len", "128", "--lr", "1e-3", *device)
    from tokenizers import Tokenizer
    tokens = Tokenizer.from_file(f"{model}/tokenizer.json").encode(open(evaluation).read(), add_special_tokens=False).ids
    windows = [tokens[i * LENGTH:(i + 1) * LENGTH] for i in range(WINDOWS)]

    def ours(*arguments):
        typed = ["--text", evaluation, "--seq-len", str(LENGTH), "--windows", str(WINDOWS), "--json", *device]
        found = json.loads(run(slimgpt, "ppl", *arguments, *typed))
        return found["nll"] / found["tokens"]

    opened = lambda folder: AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()
    adapted = PeftModel.from_pretrained(opened(slim), f"{recovered}/adapter").eval()
    for name, theirs, mine in [
        ("merged folder", loss(opened(recovered), windows), ours(recovered)),
        ("adapter on its model", loss(adapted, windows), ours(slim, "--adapter", f"{recovered}/adapter")),
    ]:
        apart = abs(theirs / mine - 1)
        print(f"recovered, {name}: loss {theirs:.7f} in transformers and peft, {mine:.7f} here, {apart:.1e} apart")
        assert apart <= TOLERANCE, name
    assert ours(recovered) < ours(slim), "ten steps make it better"


main()
