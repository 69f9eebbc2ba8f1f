"""The page in a real browser: what a person does, what the page loads, and whether everybody can use it.

Needs Playwright for Python and a Chromium of the system (`apt-get install chromium`); skipped with the reason where one of both is missing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cardwise.reports.sentences import SLOT
from cardwise.reports.words import messages, words

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("altair", reason="the extra charts is not installed")
playwright_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = (
    os.environ.get("CARDWISE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine; apt-get install chromium, or say where with CARDWISE_CHROMIUM", allow_module_level=True)

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WAIT_MS = 15_000
QUESTION = "/?lang=en&model=llama-3.1-8b&cards=RTX+4090,+L40S&input=512&output=64&concurrency=4"
FIRST_CONTENT_S, MOST_BYTES = 1.0, 1_500_000
# What axe-core calls serious or critical fails; so does contrast below 4.5 : 1, which is among them.
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


class Seen:
    """What a page said and asked for."""

    def __init__(self, page: Any) -> None:
        self.errors: list[str] = []
        self.urls: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.urls.append(request.url))


@pytest.fixture
def page(browser: Any, served: str) -> Iterator[Any]:
    context = browser.new_context(base_url=served, viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(WAIT_MS)
    made = context.new_page()
    made.seen = Seen(made)
    yield made
    elsewhere = [url for url in made.seen.urls if not url.startswith((served, "data:", "blob:"))]
    context.close()
    assert elsewhere == []
    assert made.seen.errors == []


def settled(page: Any) -> None:
    """Until the answer and its charts are there."""
    page.locator(".verdict").wait_for()
    playwright_api.expect(page.locator("[aria-busy]")).to_have_count(0, timeout=WAIT_MS)


def heading(page: Any) -> str:
    text: str = page.locator(".verdict h1").inner_text()
    return text


def test_a_question_is_answered_and_its_layouts_open(page: Any) -> None:
    page.goto(QUESTION)
    settled(page)
    assert re.match(r"\d+x (RTX 4090|L40S)", heading(page))
    assert page.locator(".verdict .sentence").inner_text().startswith("Take ")
    assert page.locator("#pareto svg").count() == 1
    assert page.locator("#depth .charts svg").count() == 6, "memory, decode, prefill, roofline, load, cost"
    playwright_api.expect(page.locator("#depth .command").nth(1)).to_contain_text("vllm")
    row = page.locator(".ranked tbody tr").nth(2)
    name = row.locator("button").inner_text()
    row.locator("button").focus()
    page.keyboard.press("Enter")
    playwright_api.expect(page.locator("#depth h2")).to_contain_text(f"{name} in depth")
    assert "pick=" in page.url
    settled(page)
    assert page.locator("tr.picked button").inner_text() == name
    page.go_back()
    settled(page)
    assert "pick=" not in page.url


def test_cards_change_and_the_answer_follows(page: Any) -> None:
    page.goto(QUESTION)
    settled(page)
    page.get_by_role("button", name="Remove RTX 4090").click()
    settled(page)
    assert "L40S" in heading(page) and "RTX" not in heading(page)
    page.locator("#add-card").fill("2x h100 sx")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    settled(page)
    assert "2x H100 SXM" in page.locator(".chips").inner_text()
    playwright_api.expect(page.locator(".ranked")).to_contain_text("2x H100 SXM")
    page.get_by_text("Fastest", exact=True).first.click()
    playwright_api.expect(page.locator(".verdict > .eyebrow")).to_have_text("Fastest")
    page.locator("input[name=concurrency]").fill("32")
    playwright_api.expect(page).to_have_url(re.compile("concurrency=32"))
    settled(page)


def test_the_model_is_found_by_its_alias(page: Any) -> None:
    page.goto(QUESTION)
    settled(page)
    page.locator("#model").fill("qwen3 32b")
    page.get_by_role("option").first.click()
    playwright_api.expect(page.locator(".verdict .of")).to_contain_text("Qwen3-32B")
    assert "Qwen3-32B" in page.url


def test_a_link_reproduces_the_answer_in_both_languages(page: Any, browser: Any, served: str) -> None:
    page.goto(QUESTION + "&goal=speed")
    settled(page)
    english = heading(page)
    page.get_by_role("button", name="中文").click()
    playwright_api.expect(page.locator(".verdict > .eyebrow")).to_have_text("最快")
    settled(page)
    shared = page.url
    assert "lang=zh" in shared and heading(page) == english
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert re.search("[一-鿿]", page.locator("#depth svg").first.text_content())
    other = browser.new_context()
    found = other.new_page()
    found.goto(shared)
    found.locator(".verdict h1").wait_for(timeout=WAIT_MS)
    assert (heading(found), found.locator(".verdict > .eyebrow").inner_text()) == (english, "最快")
    other.close()


def test_a_configuration_is_read_and_its_link_holds_it(page: Any, browser: Any, tmp_path: Path) -> None:
    config = {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
              "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 2048, "torch_dtype": "bfloat16"}  # fmt: skip
    (tmp_path / "own_config.json").write_text(json.dumps(config), encoding="utf-8")
    page.goto(QUESTION)
    settled(page)
    page.locator("#files").set_input_files(str(tmp_path / "own_config.json"))
    playwright_api.expect(page.locator(".verdict .of")).to_contain_text("for own")
    settled(page)
    assert "#model=" in page.url
    answer = heading(page)
    other = browser.new_context()
    found = other.new_page()
    found.goto(page.url)
    found.locator(".verdict h1").wait_for(timeout=WAIT_MS)
    assert heading(found) == answer and "own" in found.locator(".verdict .of").inner_text()
    other.close()
    (tmp_path / "bad.gguf").write_bytes(b"GGUF....")
    page.locator("#files").set_input_files(str(tmp_path / "bad.gguf"))
    playwright_api.expect(page.locator(".drop .problem")).to_contain_text("bad.gguf")
    page.seen.errors = [text for text in page.seen.errors if "400" not in text]


def test_what_cannot_run_says_why_and_what_would(page: Any) -> None:
    page.goto("/?lang=en&model=llama-2-70b&cards=1x+RTX+4090&concurrency=2")
    page.locator(".verdict.refused").wait_for()
    assert "None of the layouts" in heading(page)
    assert page.locator(".refusals .fix").first.inner_text().startswith("nearest fix take")
    assert page.locator(".ranked").count() == 0


def test_nonsense_is_one_line_and_a_way_out(page: Any) -> None:
    page.goto("/?lang=en&model=lama-3.1-8b<script>alert(1)</script>&cards=RTX+4090")
    page.locator(".verdict.refused").wait_for()
    assert "unknown model 'lama-3.1-8b<script>" in heading(page)
    page.goto("/?lang=en&model=llama-3.1-8bb&cards=RTX+4090")
    page.get_by_role("button", name="meta-llama/Llama-3.1-8B").click()
    settled(page)
    assert "RTX 4090" in heading(page)
    page.locator("input[name=input]").fill("-3")
    page.locator(".verdict.refused").wait_for()
    assert "input tokens is -3" in heading(page)
    page.seen.errors = [text for text in page.seen.errors if "400" not in text]


def test_pictures_are_answered_too(page: Any) -> None:
    page.goto(QUESTION)
    settled(page)
    page.get_by_text("Image", exact=True).click()
    playwright_api.expect(page.locator(".figures")).to_contain_text("Seconds an image")
    assert page.locator("input[name=steps]").count() == 1 and page.locator("input[name=input]").count() == 0
    page.get_by_text("Chat", exact=True).click()
    playwright_api.expect(page.locator(".figures")).to_contain_text("TTFT")
    settled(page)


TRAINING = "/?lang=en&train=1&tokens=300B&model=llama-2-7b&cards=RTX+4090,+8x+H100+SXM"


def test_training_is_asked_answered_and_its_layouts_open(page: Any, browser: Any) -> None:
    page.goto(QUESTION)
    settled(page)
    page.get_by_text("Training", exact=True).click()
    playwright_api.expect(page.locator(".figures")).to_contain_text("Time of the run")
    assert "train=1" in page.url and page.locator("input[name=tokens]").input_value() == "1T"
    assert page.locator("input[name=ttft], input[name=budget_usd_per_hour], input[name=concurrency]").count() == 0
    page.goto(TRAINING)
    settled(page)
    assert page.locator(".verdict .sentence").inner_text().startswith("Train on ")
    assert page.locator("#pareto svg, #depth svg, #scaling svg").count() == 4, "cost against speed, memory, a step, more cards"
    row = page.locator(".ranked tbody tr").nth(2)
    split = row.locator("small").first.inner_text()
    row.locator("button").focus()
    page.keyboard.press("Enter")
    playwright_api.expect(page.locator("#depth h2 .how")).to_have_text(split)
    assert "pick=" in page.url
    settled(page)
    bar = page.locator("#depth svg").first.get_attribute("aria-label")
    assert "activations" in bar and "optimizer" in bar
    shared, english = page.url, heading(page)
    page.get_by_role("button", name="中文").click()
    playwright_api.expect(page.locator(".figures")).to_contain_text("训练时长")
    settled(page)
    assert re.search("激活.*GiB", page.locator("#depth svg").first.get_attribute("aria-label"))
    other = browser.new_context()
    found = other.new_page()
    found.goto(shared)
    found.locator(".verdict h1").wait_for(timeout=WAIT_MS)
    assert (heading(found), found.locator("#depth h2 .how").inner_text()) == (english, split)
    other.close()


def test_what_does_not_train_has_its_fix_as_a_button(page: Any) -> None:
    page.goto("/?lang=en&train=1&model=llama-2-70b&cards=8x+RTX+4090")
    page.locator(".verdict.refused").wait_for()
    page.get_by_role("button", name="take 64x RTX 4090").click()
    playwright_api.expect(page.locator(".verdict h1")).to_contain_text("64x RTX 4090")
    settled(page)
    page.locator("select[name=method]").select_option("qlora")
    playwright_api.expect(page.locator(".verdict .of")).to_contain_text("QLoRA")
    assert page.locator("input[name=adapter_rank]").count() == 1
    settled(page)
    page.locator("input[name=tokens]").fill("many")
    page.keyboard.press("Tab")
    playwright_api.expect(page.locator(".verdict.refused h1")).to_contain_text("tokens is 'many'")
    page.get_by_text("Chat", exact=True).click()
    playwright_api.expect(page.locator(".figures, .verdict.refused").first).to_be_visible()
    assert "train=" not in page.url and "method=" not in page.url
    page.seen.errors = [text for text in page.seen.errors if "400" not in text]


def test_longer_questions_tell_their_progress_and_can_be_cancelled(page: Any) -> None:
    page.goto(QUESTION)
    settled(page)
    page.get_by_role("button", name="Every card").click()
    page.locator(".progress").wait_for()
    page.locator(".progress").get_by_role("button").click()
    playwright_api.expect(page.locator(".progress")).to_have_count(0)
    page.locator("button.primary").click()
    playwright_api.expect(page.locator(".ranked tbody tr").nth(20)).to_be_visible(timeout=30_000)


def test_the_first_content_is_there_in_a_second_and_the_page_is_light(page: Any, browser: Any, served: str) -> None:
    page.goto(QUESTION)
    settled(page)
    paint = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1e3
    sizes = page.evaluate("() => performance.getEntriesByType('resource').map((one) => [one.name, one.encodedBodySize])")
    assert paint < FIRST_CONTENT_S
    assert any("bundle.js" in name for name, _ in sizes)
    assert sum(size for _, size in sizes) < MOST_BYTES


@pytest.mark.parametrize(
    ("path", "width", "scheme"),
    [
        (QUESTION, 1280, "light"),
        (QUESTION + "&lang=zh", 390, "dark"),
        (TRAINING, 1280, "dark"),
        (TRAINING + "&lang=zh&method=lora", 390, "light"),
        ("/?lang=en&train=1&model=llama-2-70b&cards=8x+RTX+4090", 390, "dark"),
        ("/cards?lang=en&cards=RTX+4090,H100+SXM", 1280, "light"),
        ("/accuracy?lang=en&by=engine", 1280, "dark"),
    ],
)
def test_everybody_can_use_it(page: Any, path: str, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path)
    page.locator(".verdict, td").first.wait_for()
    playwright_api.expect(page.locator("[aria-busy]")).to_have_count(0, timeout=WAIT_MS)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "the page itself never scrolls sideways"
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(f"() => {{ {axe} }}")
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    assert len(found["passes"]) > 15, "axe-core looked at the page"
    worst = {one["id"]: [node["html"][:120] for node in one["nodes"][:3]] for one in found["violations"] if one["impact"] in SERIOUS}
    assert worst == {}


def test_the_page_translates_as_the_reports_do(page: Any) -> None:
    """The rules of sentences.py and of words.js give the same Chinese for every template and for what is joined of them."""
    say = words("zh")
    texts = [
        SLOT.sub(lambda slot: {"number": "1,024", "size": "2 GiB", "said": "weights", "list": "a, b and c"}.get(slot[2], "v1"), one)
        for one in messages()["sentence"]
    ]
    texts += ["a.json: field hidden_size is missing", "no layout of X can be made; ask for another count", "nothing of the kind"]
    texts += [f"{'x' * 2000}: {texts[0]}", "a; " * 21 + texts[0], "a: " * 20 + texts[0]]
    page.goto(QUESTION + "&lang=zh")
    settled(page)
    told = page.evaluate("async (texts) => { const words = await import('/static/words.js'); return texts.map(words.said); }", texts)
    assert {text: found for text, found in zip(texts, told, strict=True) if found != say.said(text)} == {}


def test_an_error_is_told_in_the_language_of_the_page(page: Any) -> None:
    page.goto("/?lang=zh&model=llama-3.1-8b&cards=RTX+4091")
    playwright_api.expect(page.locator("main")).to_contain_text("没有名为 'RTX 4091' 的显卡", timeout=WAIT_MS)
    page.seen.errors = [text for text in page.seen.errors if "400" not in text]
