"""Makes one site of pages that lie in several folders.

In the checkout README.md, CONTRIBUTING.md and other files of the top level stand beside docs/, and pages
link to each other by relative paths, so that they can be read where they lie. The site holds docs/
alone. These hooks add the pages of the top level to it, and each file that a page links to, and rewrite
the links. A link that leads nowhere is an error of the build (--strict).
"""

import pathlib
import posixpath
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Page of the top level: its place in the site.
TOP_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def place_in_site(path: str, files) -> str:
    """Where a file of the checkout lies in the site; one that is no page is added to it."""
    if path in TOP_PAGES:
        return TOP_PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    place = f"source/{path}"
    source = ROOT / path
    if source.is_file() and files.get_file_from_path(place) is None:
        files.append(File.generated(CONFIG, place, content=source.read_bytes()))
    return place


def rewrite_links(text: str, page: str, site_page: str, files) -> str:
    """The text of a page of the checkout with the links that it has in the site."""

    def rewrite(match: re.Match) -> str:
        target = match[2]
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
        place = posixpath.relpath(place_in_site(path, files), posixpath.dirname(site_page) or ".")
        return f"{match[1]}{place}{match[3] or ''}{match[4]}"

    # Links in code are examples.
    parts = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("`") else LINK.sub(rewrite, part) for part in parts)


def on_config(config):
    global CONFIG
    CONFIG = config
    if (ROOT / "CHANGELOG.md").exists():
        config["nav"][-1]["The code"].append({"Changes": "changelog.md"})
    return config


def on_files(files, config):
    for name, place in TOP_PAGES.items():
        source = ROOT / name
        if source.exists():
            text = rewrite_links(source.read_text(encoding="utf-8"), name, place, files)
            files.append(File.generated(config, place, content=text))
    # Decisions are listed by their own page, not in the navigation.
    for file in files.documentation_pages():
        if re.match(r"adr/\d", file.src_uri):
            file.inclusion = file.inclusion.NOT_IN_NAV
    return files


def on_page_markdown(markdown, page, config, files):
    if page.file.src_uri in TOP_PAGES.values():
        return markdown
    return rewrite_links(markdown, f"docs/{page.file.src_uri}", page.file.src_uri, files)
