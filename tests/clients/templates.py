"""Renders the chat templates in templates/ as transformers does.

    templates.py          fails where templates/expected.json is not what comes out
    templates.py --write  writes it

The templates are ours, written from what those of the best-known families publish that they do. With
transformers installed its own renderer is used; jinja2, set up as transformers sets it up, is enough.
"""

import datetime
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent / "templates"
EXPECTED = FOLDER / "expected.json"
NOW = datetime.datetime(2026, 1, 31)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

CONVERSATIONS = [
    [("user", "Hello!")],
    [("system", "Be brief."), ("user", "Why is the sky blue?")],
    [("user", " Two\n lines \n"), ("assistant", "  Yes.\n"), ("user", "Größe 😀 <b>&amp;'\"</b>?")],
    [("system", ""), ("user", "")],
    [("system", " padded \n"), ("user", "a"), ("assistant", "<think>\nwhy\n</think>\n\nbecause"), ("user", "b"),
     ("assistant", "c"), ("user", "<tool_response>d</tool_response>")],
    [("user", "a"), ("user", "b")],
    [("assistant", "first"), ("user", "then")],
    [("user", "a"), ("assistant", "no question after this")],
]


def environment():
    import jinja2
    import jinja2.ext
    import jinja2.sandbox

    def refuse(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

        def _same(self, caller):
            return caller()

    found = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    found.filters["tojson"] = tojson
    found.globals["raise_exception"] = refuse
    found.globals["strftime_now"] = NOW.strftime
    return found


def compiler():
    try:
        from transformers.utils import chat_template_utils
    except ImportError:
        return environment().from_string, "jinja2"

    class Fixed(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    chat_template_utils.datetime = Fixed
    return chat_template_utils._compile_jinja_template, "transformers"


def main():
    compile_template, program = compiler()
    rendered = {}
    for path in sorted(FOLDER.glob("*.jinja")):
        template = compile_template(path.read_text(encoding="utf-8"))
        for turns in CONVERSATIONS:
            messages = [{"role": role, "content": content} for role, content in turns]
            try:
                text = template.render(
                    messages=messages, tools=None, documents=None, add_generation_prompt=True, **TOKENS
                )
            except Exception as error:
                text = {"refused": str(error)}
            rendered.setdefault(path.stem, []).append(text)
    found = {"tokens": TOKENS, "conversations": CONVERSATIONS, "rendered": rendered}
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    if "--write" in sys.argv:
        EXPECTED.write_text(text, encoding="utf-8")
    elif json.loads(EXPECTED.read_text(encoding="utf-8")) != json.loads(text):
        sys.exit(f"{EXPECTED} is not what {program} renders")
    print(f"{len(rendered)} chat templates over {len(CONVERSATIONS)} conversations, as {program} renders them")


main()
