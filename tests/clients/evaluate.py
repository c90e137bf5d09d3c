#!/usr/bin/env python3
"""Holds `slimgpt eval` and `slimgpt ppl` to transformers and to lm-eval, on local files.

Every log-likelihood that `--items` writes must be that of transformers (in f64) on the same token
ids, and accuracies, word perplexities and their errors must be lm-eval's. lm-eval's own task files
are used; only where they fetch a data set is replaced by a local file.

    python tests/clients/evaluate.py PROGRAM MODEL TASK_DIR WIKITEXT [--limit 200] [--bos none]

Needs transformers, torch, lm-eval and datasets. Ends with 1 where something differs.
"""

import argparse
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import lm_eval  # noqa: E402
import torch  # noqa: E402
from lm_eval.api.task import ConfigurableTask  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks._yaml_loader import load_yaml  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

TASK_FILES = {
    "boolq": "super_glue/boolq/default.yaml",
    "piqa": "piqa/piqa.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "winogrande": "winogrande/default.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
}
SUBJECTS = ["abstract_algebra", "marketing", "sociology"]
METRICS = ["acc", "acc_norm", "acc_bytes"]
failures = []
logging.disable(logging.WARNING)  # lm-eval says of every text that it cuts it off


def check(ok, text):
    print(f"  {'same' if ok else 'DIFFERENT'}  {text}", flush=True)
    if not ok:
        failures.append(text)


def slimgpt(arguments, program):
    done = subprocess.run([program, *map(str, arguments), "--device", "cpu", "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} {arguments}: {done.stderr}")
    return json.loads(done.stdout)


def find(folder, name):
    plain = folder / f"{name}.jsonl"
    return plain if plain.is_file() else next(folder.glob(f"{name}_*.jsonl"))


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def local(name, config, splits, scratch):
    """A task of lm-eval with rows from files: split to rows."""
    files = {}
    for split, of_split in splits.items():
        path = scratch / f"{name}-{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in of_split))
        files[split] = str(path)
    config = {k: v for k, v in config.items() if k not in ("tag", "group", "include", "dataset_name", "task_alias")}
    split = next(s for s in ("test", "validation") if s in splits)
    config |= {
        "task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": files}, "training_split": None,
        "validation_split": split if split == "validation" else None,
        "test_split": split if split == "test" else None,
    }
    return ConfigurableTask(config=config)


def task_yaml(file):
    return load_yaml(Path(lm_eval.__file__).parent / "tasks" / file, resolve_func=True)


def zero_shot(task_dir, scratch):
    tasks = []
    for name, file in TASK_FILES.items():
        config = task_yaml(file)
        if config.get("metric_list") and name not in ("boolq", "winogrande"):
            config["metric_list"] = [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in METRICS]
        data = rows(find(task_dir, name))
        if name == "boolq":  # SuperGLUE calls the answer a label
            data = [row | {"label": int(row["answer"])} for row in data]
        tasks.append(local(name, config, {"validation": data}, scratch))
    return tasks


def some_tasks(task_dir, scratch):
    """The folder of tasks with three of MMLU's subjects: 57 times five examples take an hour."""
    folder = scratch / "tasks"
    folder.mkdir(exist_ok=True)
    for name in [*TASK_FILES, "mmlu_dev"]:
        (folder / f"{name}.jsonl").write_text(find(task_dir, name).read_text())
    test = [row for row in rows(find(task_dir, "mmlu_test")) if row["subject"] in SUBJECTS]
    (folder / "mmlu_test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in test))
    return folder


def mmlu(task_dir, scratch):
    dev, test = rows(task_dir / "mmlu_dev.jsonl"), rows(task_dir / "mmlu_test.jsonl")
    tasks = []
    for subject in sorted({row["subject"] for row in test}):
        config = task_yaml("mmlu/default/_default_template_yaml")
        words = subject.replace("_", " ")
        config["description"] = f"The following are multiple choice questions (with answers) about {words}.\n\n"
        config["num_fewshot"] = 5
        of = lambda split: [row for row in split if row["subject"] == subject]  # noqa: E731, B023
        tasks.append(local(f"mmlu_{subject}", config, {"test": of(test), "dev": of(dev)}, scratch))
    return tasks


def pages(text):
    """WikiText's pages, as the data set EleutherAI/wikitext_document_level has them."""
    found, page = [], []
    for line in text.split("\n"):
        bare = line.replace("= = =", "===").replace("= =", "==").strip()
        if bare.startswith("= ") and bare.endswith(" ="):
            if "\n".join(page).strip():
                found.append("\n".join(page))
            page = []
        page.append(line)
    return [*found, "\n".join(page)]


def theirs(tasks, model, begin, limit):
    lm = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=16, add_bos_token=begin == "tokenizer")
    found = lm_eval.simple_evaluate(model=lm, tasks=tasks, limit=limit, bootstrap_iters=2, log_samples=True)
    return found["results"], found["samples"]


def metric(results, name):
    return results.get(f"{name},none"), results.get(f"{name}_stderr,none")


def compare_task(name, ours, results):
    for m, found in ours.items():
        value, error = metric(results, m)
        ok = value is not None and abs(value - found["value"]) < 1e-12
        if isinstance(error, float):
            ok = ok and abs(error - found["stderr"]) < 1e-9
        check(ok, f"{name:14} {m:9} slimgpt {found['value']:.6f} ± {found['stderr']:.6f}  lm-eval {value} ± {error}")


def compare_samples(name, items, samples):
    """Every log-likelihood beside lm-eval's, which computes in f32."""
    worst = 0.0
    for item, sample in zip(items, samples, strict=True):
        sums = [float(answer[0][0]) for answer in sample["resps"]]
        for choice, other in zip(item["choices"], sums, strict=True):
            worst = max(worst, abs(choice["log_likelihood"] - other))
    check(worst < 5e-3, f"{name:14} {len(items)} items, largest difference of a log-likelihood to lm-eval {worst:.2e}")


def log_likelihood(model, context, continuation, room):
    whole = (context + continuation)[-(room + 1):]
    with torch.no_grad():
        log_p = model(torch.tensor([whole[:-1]])).logits[0].log_softmax(-1)
    return float(log_p[-len(continuation):].gather(1, torch.tensor(continuation).unsqueeze(1)).sum())


def compare_transformers(folder, items, every):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    room = model.config.max_position_embeddings
    worst, count = 0.0, 0
    for item in items[::every]:
        for choice in item["choices"]:
            want = log_likelihood(model, choice["context"], choice["continuation"], room)
            worst = max(worst, abs(want - choice["log_likelihood"]) / max(1.0, abs(want)))
            count += 1
    check(worst < 1e-4, f"{count} log-likelihoods beside transformers in f64: largest relative difference {worst:.2e}")


def choices(arguments, scratch, begin):
    print(f"multiple choice, --bos {begin}", flush=True)
    task_dir = some_tasks(arguments.task_dir, scratch)
    items_file = scratch / f"items-{begin}.jsonl"
    ours = slimgpt(
        ["eval", arguments.model, "--tasks", "zero-shot,mmlu", "--task-dir", task_dir, "--bos", begin,
         "--limit", arguments.limit, "--items", items_file], arguments.program)
    items = rows(items_file)
    compare_transformers(arguments.model, items, every=5)
    tasks = zero_shot(task_dir, scratch) + mmlu(task_dir, scratch)
    results, samples = theirs(tasks, arguments.model, begin, arguments.limit)
    found = {task["task"]: task for task in ours["tasks"]}
    for name in TASK_FILES:
        compare_task(name, found[name]["metrics"], results[name])
        own = [item for item in items if item["task"] == name]
        compare_samples(name, own, sorted(samples[name], key=lambda s: s["doc_id"]))
    for group in found["mmlu"]["groups"]:
        for subject in group["subjects"]:
            compare_task(f"mmlu {subject['name']}", {"acc": subject["acc"]}, results[f"mmlu_{subject['name']}"])


def rolling(arguments, scratch, begin):
    print(f"wikitext by rolling windows, --bos {begin}", flush=True)
    text = scratch / "wiki.test.raw"
    some = pages(arguments.wikitext.read_text())[:arguments.pages]
    text.write_text("\n".join(some))
    bos = "first" if begin == "tokenizer" else "none"
    ours = slimgpt(
        ["ppl", arguments.model, "--text", text, "--protocol", "rolling", "--bos", bos], arguments.program)
    config = task_yaml("wikitext/wikitext.yaml")
    task = local("wikitext", config, {"test": [{"page": page} for page in pages(text.read_text())]}, scratch)
    results, _ = theirs([task], arguments.model, begin, None)
    for m in ("word_perplexity", "byte_perplexity", "bits_per_byte"):
        value, _ = metric(results["wikitext"], m)
        ok = math.isclose(value, ours[m], rel_tol=1e-5)
        check(ok, f"{m:16} slimgpt {ours[m]:.6f}  lm-eval {value:.6f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model", type=Path)
    parser.add_argument("task_dir", type=Path)
    parser.add_argument("wikitext", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--pages", type=int, default=2, help="pages of WikiText")
    parser.add_argument("--bos", choices=["none", "tokenizer", "both"], default="both")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for begin in ("none", "tokenizer") if arguments.bos == "both" else (arguments.bos,):
            choices(arguments, Path(scratch), begin)
            rolling(arguments, Path(scratch), begin)
    print(f"{len(failures)} differences")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
