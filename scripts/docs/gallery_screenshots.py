"""Photographs a gallery: PAGE FOLDER → gallery.png (wide), phone.png (a picture enlarged) and
compare.png (a portrait over an avatar). With REPORT FILE also the top of a run's report, into that file.
"""

import pathlib
import shutil
import sys

from playwright.sync_api import sync_playwright


def main():
    page_file, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        wide = browser.new_page(viewport={"width": 1280, "height": 860})
        wide.goto(page_file.as_uri())
        wide.wait_for_load_state("networkidle")
        wide.screenshot(path=folder / "gallery.png")
        phone = browser.new_page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
        phone.goto(page_file.as_uri())
        phone.get_by_role("link", name="unicorn").first.click()
        phone.get_by_role("dialog").wait_for()
        phone.wait_for_load_state("networkidle")
        phone.screenshot(path=folder / "phone.png")
        wide.get_by_role("link", name="Robot").first.click()
        wide.get_by_role("button", name="Compare with portrait").click()
        wide.evaluate("document.activeElement.blur()")  # no mark of the focus in the picture
        wide.screenshot(path=folder / "compare.png")
        if len(sys.argv) > 3:
            report = browser.new_page(viewport={"width": 1100, "height": 1780})
            report.goto(pathlib.Path(sys.argv[3]).resolve().as_uri())
            report.wait_for_load_state("networkidle")
            report.screenshot(path=sys.argv[4])
        browser.close()


if __name__ == "__main__":
    main()
