"""Uses a gallery as people do, in headless Chromium: gallery_browser.py SMALL BIG

SMALL and BIG are the folders that gallery_browser_test.cpp makes. Exits with 77 where there is no
Playwright or no Chromium.
"""

import pathlib
import re
import shutil
import statistics
import sys

NO_BROWSER = 77

try:
    from playwright.sync_api import Error, expect, sync_playwright
except ImportError:
    sys.exit(NO_BROWSER)

DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
UNICORN = "{name} riding a unicorn"


class Visit:
    """A page that was opened, and everything that went wrong in it."""

    def __init__(self, browser, folder, hash_="", before="", **how):
        self.context = browser.new_context(**how)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.on("request", self._note_request)
        self.context.on("console", lambda message: self.faults.append(message.text))
        self.context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self.faults = []
        self.page = self.context.new_page()
        if before:
            self.page.add_init_script(before)
        self.page.goto((folder / "index.html").as_uri() + hash_)

    def _note_request(self, request):
        if not request.url.startswith("file:"):
            self.faults.append("network: " + request.url)

    def __enter__(self):
        return self.page

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None:
            assert self.faults == [], self.faults


ALL = ["Ada", "Ben", 'Zoë & "Søn"', "Fritz", "Other pictures"]


def expect_cards(page, titles):
    expect(page.locator("#cards h2")).to_have_text(titles)


def tile(page, name):
    return page.get_by_role("link", name=name).first


def test_page_shows_everyone(browser, small):
    for how in (DESKTOP, PHONE, {"viewport": {"width": 360, "height": 640}},
                {"viewport": {"width": 2560, "height": 1300}}):
        with Visit(browser, small, **how) as page:
            expect(page.get_by_role("heading", level=1)).to_have_text('The "Crew" & Co <3')
            expect_cards(page, ALL)
            expect(page.get_by_role("status").first).to_have_text("7 pictures, 4 people")
            expect(page.locator("section", has_text="Ada").first).to_contain_text("likeness 0.93")
            expect(page.locator("section", has_text="Fritz")).to_contain_text("no face")
            for picture in page.locator("#cards img").all():
                picture.scroll_into_view_if_needed()
                expect(picture).not_to_have_js_property("naturalWidth", 0)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), how


def test_search_and_filters(browser, small):
    with Visit(browser, small, **DESKTOP) as page:
        search = page.get_by_role("searchbox", name="Search")
        search.press_sequentially("zoe SON")
        expect_cards(page, ['Zoë & "Søn"'])
        expect(page.get_by_role("status").first).to_have_text("1 picture, 1 person")
        expect(page).to_have_url(re.compile(r"#search=zoe\+SON$"))
        search.fill("unicorn")
        expect_cards(page, ["Ada", "Ben"])
        search.fill("fritz")
        expect_cards(page, ["Fritz"])
        search.fill("xyzzy")
        expect(page.locator("main")).to_contain_text("Nothing is found")
        page.get_by_role("link", name="Show everything").click()
        expect(search).to_have_value("")
        expect_cards(page, ALL)

        page.get_by_role("combobox", name="Person").select_option("Ben")
        expect_cards(page, ["Ben"])
        expect(page.locator(".tile")).to_have_count(3)
        page.get_by_role("combobox", name="Prompt").select_option(UNICORN)
        expect(page.locator(".tile")).to_have_count(1)
        page.get_by_role("combobox", name="Person").select_option("Everyone")
        page.get_by_role("radio", name="Prompt").check()
        expect_cards(page, [UNICORN])
        expect(page.get_by_role("status").first).to_have_text("2 pictures, 1 prompt")
        expect(page).to_have_url(re.compile("view=prompt&prompt=.*unicorn"))
        page.reload()  # the address keeps it all
        expect_cards(page, [UNICORN])
        expect(page.get_by_role("radio", name="Prompt")).to_be_checked()

        page.goto(page.url.split("#")[0])
        page.get_by_role("link", name="Ben", exact=True).click()  # the title of the card
        expect_cards(page, ["Ben"])
        page.go_back()
        expect_cards(page, ALL)


def test_picture_opens_and_is_left_by_the_keyboard(browser, small):
    with Visit(browser, small, **DESKTOP) as page:
        dialog = page.get_by_role("dialog", name="<Ada> riding a unicorn")
        first = tile(page, "Ada riding a unicorn, seed 7")
        first.focus()
        page.keyboard.press("Enter")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_role("img")).to_have_js_property("naturalWidth", 64)
        expect(dialog).to_contain_text("1 of 8")
        expect(dialog).to_contain_text("Euler, 20 steps")
        assert "picture=pictures%2FAda%2Funicorn.png" in page.evaluate("location.hash")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(first).to_be_focused()
        page.wait_for_function("['', '#'].includes(location.hash)")  # going back takes its time

        page.keyboard.press("Enter")
        page.keyboard.press("ArrowLeft")  # round to the last one
        expect(page.locator("#lightbox")).to_contain_text("8 of 8")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#lightbox")).to_contain_text("2 of 8")
        page.get_by_role("button", name="Next picture").click()
        page.get_by_role("button", name="Previous picture").click()
        page.get_by_role("button", name="Close").click()
        expect(page.locator("#lightbox")).to_be_hidden()
        expect(tile(page, "Robot Ada, seed 18446744073709551615")).to_be_focused()

        first.click()
        page.go_back()  # as with a phone's button
        expect(page.locator("#lightbox")).to_be_hidden()
        expect_cards(page, ALL)
        page.go_forward()
        expect(dialog).to_be_visible()
        inside = page.evaluate("document.activeElement.closest('dialog') !== null")
        assert inside, "the focus is outside of the dialog"


def test_link_to_a_picture(browser, small):
    odd = small / "pictures" / "Zoë" / "50% #1? ü.png"
    assert odd.exists()
    with Visit(browser, small, **PHONE) as page:
        address = tile(page, "Robot Zoë").get_attribute("href")
    with Visit(browser, small, hash_=address, **PHONE) as page:
        expect(page.get_by_role("dialog")).to_be_visible()
        # The large picture is the file itself, the tile its thumbnail.
        expect(page.locator("#picture")).to_have_js_property("naturalWidth", 600)
        expect(page.locator(".tile img[src^=thumbnails]")).to_have_js_property("naturalWidth", 384)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(tile(page, "Robot Zoë")).to_be_focused()


def test_swipe(browser, small):
    with Visit(browser, small, **PHONE) as page:
        tile(page, "Ada riding a unicorn").tap()
        touch = page.context.new_cdp_session(page)

        def swipe(x_from, x_to):
            for kind, x in (("touchStart", x_from), ("touchMove", (x_from + x_to) / 2),
                            ("touchMove", x_to), ("touchEnd", None)):
                points = [] if x is None else [{"x": x, "y": 300}]
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        swipe(300, 80)
        expect(page.locator("#position")).to_have_text("2 of 8")
        swipe(80, 300)
        expect(page.locator("#position")).to_have_text("1 of 8")
        for name in ("Close", "Next picture", "Copy prompt", "Copy seed"):
            box = page.get_by_role("button", name=name).bounding_box()
            assert box["width"] >= 40 and box["height"] >= 40, (name, box)
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, (name, box)


def test_copying(browser, small):
    with Visit(browser, small, **DESKTOP) as page:
        tile(page, "Robot Ada").click()
        page.get_by_role("button", name="Copy seed").click()
        expect(page.get_by_role("dialog")).to_contain_text("Seed copied")
        assert page.evaluate("navigator.clipboard.readText()") == "18446744073709551615"
        page.keyboard.press("ArrowLeft")
        page.get_by_role("button", name="Copy prompt").click()
        expect(page.get_by_role("dialog")).to_contain_text("Prompt copied")
        assert page.evaluate("navigator.clipboard.readText()") == "<Ada> riding a unicorn"
        page.keyboard.press("Escape")
        tile(page, "a lighthouse").click()
        page.get_by_role("button", name="Copy prompt").click()
        expect(page.get_by_role("dialog")).to_contain_text("Prompt copied")
        assert page.evaluate("navigator.clipboard.readText()") == (
            "a lighthouse </script><script>document.title = 'taken'</script>"
            " & {{script}} 🦄 \"'\nat dusk")
        assert page.title() == 'The "Crew" & Co <3'
    absent = "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })"
    with Visit(browser, small, before=absent, **DESKTOP) as page:
        tile(page, "Ben riding a unicorn").click()
        button = page.get_by_role("button", name="Copy prompt")
        button.click()
        expect(page.get_by_role("dialog")).to_contain_text("Prompt copied")
        expect(button).to_be_focused()
        page.keyboard.press("Escape")
        page.get_by_role("searchbox").focus()
        page.keyboard.press("Control+V")
        expect(page.get_by_role("searchbox")).to_have_value("<Ben> riding a unicorn")


def test_dark_and_light(browser, small):
    ground = "getComputedStyle(document.body).backgroundColor"
    dark, light = "rgb(22, 23, 25)", "rgb(251, 250, 248)"
    with Visit(browser, small, color_scheme="dark", **DESKTOP) as page:
        toggle = page.get_by_role("button", name="Dark theme")
        assert page.evaluate(ground) == dark
        expect(toggle).to_have_attribute("aria-pressed", "true")
        toggle.click()
        assert page.evaluate(ground) == light
        page.reload()
        assert page.evaluate(ground) == light
        expect(toggle).to_have_attribute("aria-pressed", "false")
    with Visit(browser, small, **DESKTOP) as page:
        assert page.evaluate(ground) == light


def test_names_for_screen_readers(browser, small):
    with Visit(browser, small, **DESKTOP) as page:
        seen = page.locator("body").aria_snapshot()
        for part in ('- button "Dark theme"', '- searchbox "Search"', '- combobox "Person"',
                     '- combobox "Prompt"', '- group "Group by"', '- radio "Person" [checked]',
                     '- radio "Prompt"', "- status: 7 pictures, 4 people", '- heading "Ada" [level=2]',
                     '- link "Ada riding a unicorn, seed 7"'):
            assert part in seen, (part, seen)
        tile(page, "Ada riding a unicorn").click()
        seen = page.get_by_role("dialog").aria_snapshot()
        for part in ('- button "Close"', '- button "Previous picture"', '- button "Next picture"',
                     '- img "Ada riding a unicorn"', '- button "Copy prompt"', '- button "Copy seed"',
                     '- link "Open file"', "- term: Seed"):
            assert part in seen, (part, seen)


def test_everything_is_reached_by_tab_and_seen(browser, small):
    with Visit(browser, small, **DESKTOP) as page:
        expect(tile(page, "Robot Ada")).to_be_visible()
        reached = []
        for _ in range(9):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("""() => {
              const focused = document.activeElement;
              const drawn = focused.name === "view" ? focused.nextElementSibling : focused;
              const name = focused.id || focused.name || focused.textContent.trim().slice(0, 30);
              const { outlineStyle, outlineWidth } = getComputedStyle(drawn);
              return `${name}|${outlineStyle} ${outlineWidth}`;
            }"""))
        assert reached == [name + "|solid 3px" for name in (
            "theme", "search", "person", "prompt", "view", "Ada", "Ada riding a unicorn",
            "Robot Ada", "Ada and Ben at sea")], reached


def test_page_without_scripts(browser, small):
    with Visit(browser, small, java_script_enabled=False, **PHONE) as page:
        expect(page.get_by_role("link", name="<Ada> riding a unicorn")).to_be_visible()
        expect(page.get_by_role("searchbox")).to_be_hidden()


def test_bad_file_is_named(browser, small):
    page_folder = small.parent / "bad"
    shutil.copytree(small, page_folder)
    (page_folder / "pictures" / "Ada" / "unicorn.png").unlink()
    visit = Visit(browser, page_folder, **DESKTOP)
    with visit as page:
        expect(page.locator(".tile.broken")).to_have_count(1)
        expect(page.locator(".tile.broken")).to_have_text("Ada riding a unicorn")
        visit.faults.clear()  # the browser's own line about the missing file


def test_500_people_and_the_way_back(browser, big):
    with Visit(browser, big, **DESKTOP) as page:
        page.evaluate("scrollTo(0, 60000)")
        tile(page, "Robot Person 152").click()
        before = page.evaluate("scrollY")
        assert before > 50000, before
        page.keyboard.press("Escape")
        expect(page.locator("#lightbox")).to_be_hidden()
        assert page.evaluate("scrollY") == before
        page.keyboard.press("Enter")
        for _ in range(60):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Escape")
        last = page.locator(".tile:focus")
        expect(last).to_have_count(1)
        expect(page).not_to_have_url(re.compile("picture="))
        expect(last).to_be_in_viewport(ratio=0.9)
        before = page.evaluate("scrollY")
        page.get_by_role("link", name="Person 3", exact=True).evaluate("link => link.click()")
        expect_cards(page, ["Person 3"])
        page.go_back()
        expect(page.get_by_role("link", name="Robot Person 155")).to_be_in_viewport()
        page.get_by_role("searchbox").fill("robot")  # the first of what is found is seen
        assert page.evaluate("scrollY") == 0


def test_500_people_stay_smooth(browser, big):
    with Visit(browser, big, **DESKTOP) as page:
        first_ms = page.evaluate(
            "performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
        expect(page.get_by_role("status").first).to_have_text("10,000 pictures, 500 people")
        nodes = page.evaluate("document.querySelectorAll('*').length")
        images = page.evaluate("document.images.length")
        assert images < 600, images  # only what is near the window
        assert nodes < 10000, nodes
        key_ms = page.evaluate("""async () => {
          const times = [];
          const search = document.getElementById("search");
          for (const text of ["r", "ro", "rob", "robo", "robot", "robo", "r", ""]) {
            const start = performance.now();
            search.value = text;
            search.dispatchEvent(new Event("input", { bubbles: true }));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            times.push(performance.now() - start);
          }
          return times;
        }""")
        frame_ms = page.evaluate("""async () => {
          const gaps = [];
          let last = performance.now();
          for (let k = 0; k < 120; ++k) {
            scrollBy(0, 150);
            await new Promise(requestAnimationFrame);
            gaps.push(performance.now() - last);
            last = performance.now();
          }
          return gaps;
        }""")
        figures = {"first": first_ms, "key": statistics.median(key_ms), "worst key": max(key_ms),
                   "frame": statistics.median(frame_ms), "worst frame": max(frame_ms)}
        print("   ", {name: round(value) for name, value in figures.items()}, "ms;",
              images, "images,", nodes, "nodes")
        assert page.evaluate("document.querySelectorAll('.card:not(.full)').length") > 300
        # Far above what is measured (0.4 s, 0.03 s, 0.02 s): machines that run tests are busy.
        assert first_ms < 6000 and figures["key"] < 500 and figures["frame"] < 200, figures
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(page.get_by_role("link", name="Person 499 in place 19, seed 19")).to_be_visible()
        page.get_by_role("radio", name="Prompt").check()
        expect(page.locator(".card").first).to_have_class("card full")  # slice by slice
        expect(page.locator(".card").first.locator(".tile")).to_have_count(500)


def main():
    small, big = (pathlib.Path(folder) for folder in sys.argv[1:3])
    wanted = sys.argv[3:]
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)  # else Playwright's own
    failed = 0
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error:
            return NO_BROWSER
        for name, test in list(globals().items()):
            if not name.startswith("test_") or (wanted and name not in wanted):
                continue
            try:
                test(browser, big if "500" in name else small)
                print("passed:", name)
            except (AssertionError, Error) as error:
                failed += 1
                print(f"FAILED: {name}, line {error.__traceback__.tb_next.tb_lineno}:\n{error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
