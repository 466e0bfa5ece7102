"""Uses the pages as people do, in headless Chromium: gallery_browser.py FOLDER [TEST…]

FOLDER holds what gallery_browser_test.cpp makes: galleries in `small` and `big`, a person's page in
`person`, a report in `run`, each as index.html. Exits with 77 where requirements.txt is not
installed, or no Chromium.
"""

import functools
import http.server
import pathlib
import re
import shutil
import statistics
import sys
import threading
import zipfile

NO_BROWSER = 77

try:
    import axe_playwright_python
    from playwright.sync_api import Error, expect, sync_playwright
except ImportError:
    sys.exit(NO_BROWSER)

DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NARROW = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
UNICORN = "{name} riding a unicorn"
AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


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
                     '- radio "Prompt"', '- checkbox "Favourites 0"', '- button "Download"',
                     "- status: 7 pictures, 4 people", '- heading "Ada" [level=2]',
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
        for _ in range(14):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("""() => {
              const focused = document.activeElement;
              const drawn = ["view", "favourites"].includes(focused.name) ? focused.nextElementSibling : focused;
              const name = focused.id || focused.name || focused.getAttribute("aria-label") || focused.textContent.trim().slice(0, 30);
              const { outlineStyle, outlineWidth } = getComputedStyle(drawn);
              return `${name}|${outlineStyle} ${outlineWidth}`;
            }"""))
        assert reached == [name + "|solid 3px" for name in (
            "theme", "search", "person", "prompt", "view", "favourites", "download", "Ada",
            "Ada riding a unicorn", "Favourite: Ada riding a unicorn, seed 7", "Robot Ada",
            "Favourite: Robot Ada, seed 18446744073709551615", "Ada and Ben at sea",
            "Favourite: Ada and Ben at sea, seed 9")], reached


def heart(page, name):
    return page.get_by_role("button", name=f"Favourite: {name}").first


def test_favourites_are_kept(browser, small):
    with Visit(browser, small, **DESKTOP) as page:
        count = page.locator("#favourite-count")
        expect(count).to_have_text("0")
        heart(page, "Robot Ben").click()
        heart(page, "Ada and Ben at sea").click()  # it has a tile at each of the two
        expect(page.locator('.heart[aria-pressed="true"]')).to_have_count(3)
        expect(count).to_have_text("2")
        expect(page.locator("#unkept")).to_be_hidden()
        tile(page, "Ada riding a unicorn").click()
        button = page.get_by_role("dialog").get_by_role("button", name="Favourite")
        expect(button).to_have_attribute("aria-pressed", "false")
        page.keyboard.press("f")
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")
        page.keyboard.press("Escape")
        page.get_by_role("checkbox", name="Favourites").check(force=True)
        expect_cards(page, ["Ada", "Ben"])
        expect(page.locator(".tile")).to_have_count(3)
        expect(page.get_by_role("status").first).to_have_text("2 pictures, 2 people")
        expect(page).to_have_url(re.compile("favourites=1"))
        page.reload()
        expect(page.locator(".tile")).to_have_count(3)
        expect(page.get_by_role("checkbox", name="Favourites")).to_be_checked()
        page.get_by_role("checkbox", name="Favourites").uncheck(force=True)
        expect_cards(page, ALL)
        heart(page, "Robot Ben").click()
        expect(count).to_have_text("1")


def test_favourites_where_nothing_is_kept(browser, small):
    denied = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })"
    with Visit(browser, small, before=denied, **DESKTOP) as page:
        expect(page.locator("#unkept")).to_be_hidden()
        heart(page, "Robot Ben").click()
        expect(page.locator("#unkept")).to_contain_text("until you close the page")
        page.get_by_role("checkbox", name="Favourites").check(force=True)
        expect(page.locator(".tile")).to_have_count(1)
        page.get_by_role("button", name="Dark theme").click()


def check_zip(download, folder, expected):
    with zipfile.ZipFile(download.path()) as packed:
        assert packed.testzip() is None
        assert sorted(packed.namelist()) == sorted(expected), packed.namelist()
        for name in expected:
            assert packed.read(name) == (folder / "pictures" / name).read_bytes(), name


def test_download_from_disk(browser, small):
    odd = "Zoë/50% #1? ü.png"
    with Visit(browser, small, **DESKTOP) as page:
        heart(page, "Robot Ben").click()
        heart(page, "Robot Zoë").click()
        page.get_by_role("button", name="Download").click()
        dialog = page.get_by_role("dialog", name="Download")
        expect(dialog).to_contain_text("2 favourites")
        expect(dialog).to_contain_text("Nothing leaves this computer")
        with page.expect_download() as listed:
            dialog.get_by_role("button", name="List of files").click()
        assert listed.value.path().read_text() == f"pictures/Ben/robot.png\npictures/{odd}\n"
        with page.expect_file_chooser() as chooser, page.expect_download() as packed:
            dialog.get_by_role("button", name="Choose folder and zip").click()
            chooser.value.set_files(small)
        expect(dialog).to_contain_text("Packed 2 pictures.")
        check_zip(packed.value, small, ["Ben/robot.png", odd])
        assert packed.value.suggested_filename.endswith(".zip"), packed.value.suggested_filename
        # Another folder is no reason to give up.
        with page.expect_file_chooser() as chooser:
            dialog.get_by_role("button", name="Choose folder and zip").click()
            chooser.value.set_files(small / "pictures")
        expect(dialog).to_contain_text("2 pictures could not be read: choose the folder")
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()


def test_download_from_a_server(browser, small):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=small))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context(**DESKTOP)
    try:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        page.get_by_role("searchbox").fill("unicorn")  # no favourites: what is shown
        page.get_by_role("button", name="Download").click()
        expect(page.get_by_role("dialog")).to_contain_text("2 pictures: all that are shown now")
        with page.expect_download() as packed:
            page.get_by_role("button", name="Zip file").click()
        check_zip(packed.value, small, ["Ada/unicorn.png", "Ben/unicorn.png"])
    finally:
        context.close()
        server.shutdown()


def test_portrait_and_avatar_are_compared(browser, small):
    with Visit(browser, small, **DESKTOP) as page:
        tile(page, "Ada riding a unicorn").click()
        compare = page.get_by_role("button", name="Compare with portrait")
        compare.click()
        slider = page.get_by_role("slider")
        expect(slider).to_be_focused()
        before = page.locator("#before")
        expect(before).to_have_js_property("naturalWidth", 256)
        shape = "image => getComputedStyle(image).clipPath"
        assert before.evaluate(shape) == "inset(0px 50% 0px 0px)", before.evaluate(shape)
        assert before.bounding_box() == page.locator("#picture").bounding_box()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#position")).to_have_text("1 of 8")  # it moved the slider only
        assert before.evaluate(shape) == "inset(0px 49% 0px 0px)"
        page.keyboard.press("End")
        assert before.evaluate(shape) in ("inset(0px)", "inset(0px 0% 0px 0px)"), before.evaluate(shape)
        page.get_by_role("button", name="Next picture").click()
        expect(before).to_be_visible()
        page.get_by_role("button", name="Next picture").click()  # Ada and Ben: nobody's portrait
        expect(before).to_be_hidden()
        expect(compare).to_be_hidden()
        page.get_by_role("button", name="Next picture").click()  # Ben, who shows none
        expect(page.locator("#words")).to_contain_text("Ben")
        expect(compare).to_be_hidden()


def test_person_page(browser, person):
    with Visit(browser, person, **DESKTOP) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Ada")
        expect_cards(page, ["Your pictures"])
        expect(page.get_by_role("status").first).to_have_text("2 pictures")
        expect(page.get_by_role("combobox", name="Person")).to_be_hidden()
        for picture in page.locator("#cards img").all():
            expect(picture).to_have_js_property("naturalWidth", 64)
        assert not re.search("Ben|Zoë|Fritz|Crew", page.title() + page.locator("body").inner_text())
        tile(page, "Robot Ada").click()
        page.get_by_role("button", name="Compare with portrait").click()
        expect(page.locator("#before")).to_have_js_property("naturalWidth", 256)
        with page.expect_download() as saved:
            page.get_by_role("link", name="Save picture").click()
        assert saved.value.suggested_filename == "robot.png"
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Download").click()
        with page.expect_download() as packed:
            page.get_by_role("button", name="Zip file").click()
        check_zip(packed.value, person.parent / "small", ["Ada/robot.png", "Ada/unicorn.png"])


def test_report_compares(browser, run):
    with Visit(browser, run, **DESKTOP) as page:
        expect(page.get_by_role("heading", name="Side by side")).to_be_visible()
        expect(page.locator("#left-text")).to_have_text("portrait 0.jpglikeness 0.50")
        expect(page.locator("#right-text")).to_have_text("<Ada> in the snowStep 50, kept, likeness 0.45")
        left = page.locator("#left img")
        expect(left).to_have_js_property("naturalWidth", 256)
        assert left.get_attribute("src") == page.locator("#portrait-0").get_attribute("src")
        page.get_by_role("button", name="portrait 1.jpg").click()
        expect(page.locator("#left-text")).to_have_text("portrait 1.jpglikeness 0.50")
        page.get_by_role("button", name="Robot <Ada>").press("Enter")
        expect(page.get_by_role("button", name="Robot <Ada>")).to_be_focused()
        slider = page.get_by_role("slider", name="Milestone")
        slider.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuetext", "Step 100, likeness 0.70")
        expect(page.locator("#left-text")).to_have_text("portrait 1.jpglikeness 0.75")
        right = page.locator("#right img").get_attribute("src")
        assert right == page.locator("#preview-100-1").get_attribute("src")
        page.get_by_role("button", name="portrait 2.jpg").click()
        expect(page.locator("#left-text")).to_contain_text("no face is seen in it")
        expect(page.locator("figure", has_text="portrait 3.jpg").last).to_contain_text("likeness 0.75")


def test_report_without_scripts(browser, run):
    with Visit(browser, run, java_script_enabled=False, **NARROW) as page:
        expect(page.get_by_role("heading", name="Side by side")).to_be_hidden()
        expect(page.get_by_role("heading", name="Portraits")).to_be_visible()
        expect(page.locator("img[id^=preview-]")).to_have_count(12)


def overflow(page):
    return page.evaluate("""() => {
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= width) return "";
      return [...document.querySelectorAll("body *")].filter(
        (one) => one.getBoundingClientRect().right > width + 0.5).slice(0, 5).map(
        (one) => one.outerHTML.slice(0, 120)).join("; ") || "?";
    }""")


def test_narrow_phone(browser, small):
    for folder in ("small", "person", "run"):
        with Visit(browser, small.parent / folder, **NARROW) as page:
            page.wait_for_load_state()
            assert not overflow(page), (folder, overflow(page))
            if folder == "run":
                continue
            for name in ("Download", "Favourite: "):
                box = page.get_by_role("button", name=name).first.bounding_box()
                assert box["width"] >= 40 and box["height"] >= 40, (name, box)
            page.get_by_role("button", name="Download").click()
            box = page.get_by_role("dialog").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 360, box
            page.keyboard.press("Escape")
            tile(page, "Robot Ada").tap()
            page.get_by_role("button", name="Compare with portrait").click()
            assert not overflow(page), (folder, overflow(page))
            for button in page.get_by_role("dialog").get_by_role("button").all():
                box = button.bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= 360, (button, box)


def find_violations(page):
    page.evaluate(AXE)
    # Preloading would ask for style sheets, which the content policy forbids.
    found = page.evaluate("axe.run(document, { preload: false })")
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} "
            f"{one['nodes'][0]['failureSummary']}" for one in found["violations"]]


def test_axe_finds_nothing(browser, small):
    for how in (DESKTOP, NARROW):
        for scheme in ("light", "dark"):
            for folder in ("small", "person", "run"):
                where = (folder, scheme, how["viewport"]["width"])
                visit = Visit(browser, small.parent / folder, color_scheme=scheme, **how)
                with visit as page:
                    page.wait_for_load_state()
                    assert not (found := find_violations(page)), (where, found)
                    if folder == "run":
                        continue
                    heart(page, "Robot Ada").click()
                    page.get_by_role("button", name="Download").click()
                    assert not (found := find_violations(page)), (where, "download", found)
                    page.keyboard.press("Escape")
                    tile(page, "Robot Ada").click()
                    page.get_by_role("button", name="Compare with portrait").click()
                    assert not (found := find_violations(page)), (where, "picture", found)


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


def choose_folder(root, name):
    wanted = {"500": "big", "person_page": "person", "report": "run"}
    return root / next((folder for part, folder in wanted.items() if part in name), "small")


def main():
    root = pathlib.Path(sys.argv[1])
    wanted = sys.argv[2:]
    assert set(wanted) <= set(globals()), wanted
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
                test(browser, choose_folder(root, name))
                print("passed:", name)
            except (AssertionError, Error) as error:
                failed += 1
                print(f"FAILED: {name}, line {error.__traceback__.tb_next.tb_lineno}:\n{error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
