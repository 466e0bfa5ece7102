"use strict";
{
  const $ = (id) => document.getElementById(id);
  // On a person's own page the pictures lie in the data, and `person` is whose page it is.
  const { person: owner, people, pictures } = JSON.parse($("data").textContent);
  const cards = $("cards");
  const lightbox = $("lightbox");

  function element(tag, text, className = "") {
    return Object.assign(document.createElement(tag), { textContent: text, className });
  }

  // ---- words

  const kOtherLetters = { ß: "ss", æ: "ae", œ: "oe", ø: "o", đ: "d", ł: "l", ı: "i" };

  /** What is compared in a search: lower case, without accents. */
  function fold(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
      .replace(/[ßæœøđłı]/g, (letter) => kOtherLetters[letter]);
  }

  /** The prompt with another spelling of its names; a function, because of "$" in a string. */
  function respell(picture, spelling) {
    return picture.names.reduce(
      (text, name) => text.replaceAll(`<${name}>`, () => spelling(name)), picture.prompt);
  }

  const plain = (picture) => respell(picture, (name) => name);

  /** The text, with what stands for a name in colour. */
  function marked(text, names) {
    return text.split(names).map((part, k) => k % 2 ? element("span", part, "blank") : part);
  }

  function counted(count, one, many = one + "s") {
    return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
  }

  // ---- data

  const sourceOf = (picture) => picture.address ?? picture.file;
  const portraits = new Map(people.map(({ name, portrait }) => [name, portrait]));
  const portraitFor = ({ names }) => names.length === 1 ? portraits.get(names[0]) : undefined;
  const known = new Set(people.map(({ name }) => name));
  const pictured = new Set(pictures.flatMap(({ names }) => names));
  for (const picture of pictures) {
    // The prompt of one person is everybody's with the name left open.
    picture.template = picture.names.length === 1 ? respell(picture, () => "{name}") : picture.prompt;
  }

  const option = (value) => new Option(value.length > 70 ? value.slice(0, 69) + "…" : value, value);
  $("person").append(...[...known].map(option));
  $("prompt").append(...[...new Set(pictures.map(({ template }) => template))].map(option));

  // ---- state, which the part of the address after "#" keeps

  const kNothing = { view: "person", search: "", person: "", prompt: "", favourites: "", picture: "" };
  const state = { ...kNothing };
  let writing = 0;

  function hashOf(what) {
    const parts = Object.entries(what).filter(([key, value]) => value !== kNothing[key]);
    return "#" + new URLSearchParams(parts);
  }

  function readHash() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(kNothing)) state[key] = given.get(key) ?? kNothing[key];
    if (state.view !== "prompt") state.view = "person";
    for (const filter of ["person", "prompt"]) {
      $(filter).value = state[filter];
      if ($(filter).selectedIndex < 0) $(filter).value = state[filter] = "";
    }
    $("search").value = state.search;
    $("favourites").checked = state.favourites !== "";
    $("controls").elements.view.value = state.view;
  }

  /** A little later: browsers refuse more than about a hundred changes in half a minute. */
  function writeHash() {
    clearTimeout(writing);
    writing = setTimeout(() => history.replaceState(history.state, "", hashOf(state)), 150);
  }

  // ---- favourites, which the browser keeps for this page

  const kFavouritesKey = `favourites of ${location.pathname}`;
  const kept = remembered(() => JSON.parse(localStorage.getItem(kFavouritesKey)));
  const favourites = new Set(Array.isArray(kept) ? kept : []);

  /** Some browsers keep nothing for a page from disk, and say so by throwing. */
  function remembered(action) {
    try {
      return action();
    } catch {
      return null;
    }
  }

  const chosen = () => pictures.filter(({ file }) => favourites.has(file));

  function showHeart(button, picture) {
    button.setAttribute("aria-pressed", favourites.has(picture.file));
    button.setAttribute("aria-label", `Favourite: ${plain(picture)}, seed ${picture.seed}`);
  }

  function toggleFavourite(picture) {
    if (!favourites.delete(picture.file)) favourites.add(picture.file);
    const isKept = remembered(() => {
      localStorage.setItem(kFavouritesKey, JSON.stringify([...favourites]));
      return true;
    });
    $("unkept").hidden = isKept === true;
    for (const button of cards.querySelectorAll(".heart")) {
      if (button.picture === picture) showHeart(button, picture);
    }
    tellFavourites();
    // The picture stays in its place until the filter is used again: one slip is easily mended.
  }

  function tellFavourites() {
    $("favourite-count").textContent = chosen().length;
    $("favourite").setAttribute("aria-pressed",
      entries.length > 0 && lightbox.open && favourites.has(entries[index].file));
  }

  // ---- what is shown: groups (a card each) of pictures

  let groups = [];
  let entries = [];  // the pictures of all groups in their order, one of two people twice
  let rendered = "";

  function matches(picture, words) {
    if (state.person && !picture.names.includes(state.person)) return false;
    if (state.prompt && picture.template !== state.prompt) return false;
    if (state.favourites && !favourites.has(picture.file)) return false;
    if (words.length === 0) return true;
    picture.folded ??= fold(picture.names.join(" ") + " " + picture.prompt);
    return words.every((word) => picture.folded.includes(word));
  }

  function groupsByPerson(found, words) {
    const others = found.filter(({ names }) => !names.some((name) => known.has(name)));
    const of = new Map(people.map((person) => [person.name, []]));
    for (const picture of found) {
      for (const name of new Set(picture.names)) {
        if (!state.person || name === state.person) of.get(name)?.push(picture);
      }
    }
    const isShown = ({ name }) => of.get(name).length > 0 ||
      // Who has no pictures at all is found by name.
      (!pictured.has(name) && !state.prompt && !state.favourites && (!state.person || name === state.person) &&
        words.every((word) => fold(name).includes(word)));
    const result = people.filter(isShown).map(({ name, note }) => owner === undefined
      ? { title: name, note, pictures: of.get(name), link: { person: name } }
      : { title: "Your pictures", note, pictures: of.get(name) });
    if (others.length > 0) result.push({ title: "Other pictures", pictures: others });
    return result;
  }

  function groupsByPrompt(found) {
    const of = new Map();
    for (const picture of found) {
      if (!of.has(picture.template)) of.set(picture.template, []);
      of.get(picture.template).push(picture);
    }
    return [...of].map(([title, list]) => (
      { title, pictures: list, link: { view: "prompt", prompt: title } }));
  }

  function makeCard(group) {
    const card = $("card-template").content.firstElementChild.cloneNode(true);
    const [title, count, note] = card.querySelector("header").children;
    const link = element("a", "");
    if (group.link) link.href = hashOf(group.link);
    link.append(...marked(group.title, state.view === "prompt" ? /(\{name\})/ : /$^/));
    title.append(link);
    if (group.note) note.textContent = group.note;
    else note.remove();
    if (group.pictures.length > 0) count.textContent = counted(group.pictures.length, "picture");
    else count.remove();
    card.classList.toggle("empty", group.pictures.length === 0);
    card.group = group;
    return group.card = card;
  }

  function makeTile(picture, index) {
    const item = $("tile-template").content.firstElementChild.cloneNode(true);
    const tile = item.firstElementChild;
    const [image, name] = tile.children;
    const heart = item.lastElementChild;
    heart.picture = picture;
    showHeart(heart, picture);
    tile.href = hashOf({ picture: picture.file });
    tile.dataset.index = index;
    image.alt = `${plain(picture)}, seed ${picture.seed}`;
    image.src = picture.thumbnail ?? sourceOf(picture);
    name.textContent = (state.view === "prompt" && picture.names.join(", ")) || plain(picture);
    return item;
  }

  function addTiles(group, count) {
    const list = group.card.querySelector(".tiles");
    const from = list.children.length;
    list.append(...group.pictures.slice(from, from + count)
      .map((picture, k) => makeTile(picture, group.start + from + k)));
    return list;
  }

  /** Gives a card that comes near the window its tiles, no more at once than a frame has time for. */
  function fill(group) {
    near.unobserve(group.card);
    const isFull = addTiles(group, 100).children.length === group.pictures.length;
    group.card.classList.toggle("full", isFull);
    if (!isFull && group.card.isConnected) requestAnimationFrame(() => fill(group));
  }

  const near = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) if (isIntersecting) fill(target.group);
  }, { rootMargin: "1200px" });

  function render() {
    const { picture, ...filters } = state;
    if (state.favourites) filters.favourites = [...favourites];
    if (rendered === JSON.stringify(filters)) return;
    rendered = JSON.stringify(filters);

    const words = fold(state.search).split(/\s+/).filter(Boolean);
    const found = pictures.filter((candidate) => matches(candidate, words));
    groups = state.view === "prompt" ? groupsByPrompt(found) : groupsByPerson(found, words);
    entries = [];
    for (const group of groups) {
      group.start = entries.length;
      entries.push(...group.pictures);
    }
    near.disconnect();
    cards.replaceChildren(...groups.map(makeCard));
    cards.dataset.view = state.view;
    cards.classList.toggle("single", groups.length === 1);
    scrollTo(0, 0);
    reserveHeights();
    for (const { card } of groups) near.observe(card);
    tellResult(found.length);
  }

  /** Cards without tiles take the room that they will need, so that the scroll bar tells the truth. */
  function reserveHeights() {
    const first = groups.find((group) => group.pictures.length > 0);
    if (!first) return;
    const tiles = addTiles(first, 1);
    const columns = getComputedStyle(tiles).gridTemplateColumns.split(" ").length;
    cards.style.setProperty("--row", `${tiles.firstElementChild.offsetHeight}px`);
    for (const { card, pictures: list } of groups) {
      card.style.setProperty("--rows", Math.ceil(list.length / columns));
    }
  }

  function tellResult(count) {
    const of = groups.filter((group) => group.link).length;
    $("result").textContent = counted(count, "picture") + (owner !== undefined ? "" : ", " +
      (state.view === "prompt" ? counted(of, "prompt") : counted(of, "person", "people")));
    if (groups.length > 0) return;
    const nothing = element("p", "Nothing is found. ", "nothing");
    nothing.append(Object.assign(element("a", "Show everything"), { href: "#" }));
    cards.append(nothing);
  }

  // ---- one picture, large

  let index = 0;
  let isComparing = false;

  function showPortrait() {
    const picture = entries[index];
    const portrait = portraitFor(picture);
    const isShown = isComparing && portrait !== undefined;
    $("compare").hidden = portrait === undefined;
    $("compare").setAttribute("aria-pressed", isShown);
    $("before").hidden = $("seam").hidden = !isShown;
    if (!isShown) return;
    $("before").src = portrait;
    $("before").alt = `Portrait of ${picture.names[0]}`;
    for (const name of ["width", "height"]) {
      $("before").style.setProperty(`--${name}`, picture[name] || 1);
      $("seam").style.setProperty(`--${name}`, picture[name] || 1);
    }
    cut();
  }

  function cut() {
    for (const id of ["before", "seam"]) $(id).style.setProperty("--cut", `${$("cut").value}%`);
  }

  function show(at) {
    index = (at + entries.length) % entries.length;
    const picture = entries[index];
    const image = $("picture");
    $("stage").classList.remove("broken");
    image.style.setProperty("--width", picture.width || 1);
    image.style.setProperty("--height", picture.height || 1);
    image.alt = plain(picture);
    image.src = sourceOf(picture);
    $("words").replaceChildren(...marked(picture.prompt, /(<[^<>]+>)/));
    const facts = { Seed: picture.seed, Without: picture.negative, Settings: picture.settings,
      Size: picture.width ? `${picture.width} × ${picture.height}` : "" };
    $("facts").replaceChildren();
    for (const [term, value] of Object.entries(facts)) {
      const row = element("div", "");
      row.append(element("dt", term), element("dd", value));
      if (value) $("facts").append(row);
    }
    $("original").href = sourceOf(picture);
    if (picture.address) {  // browsers do not open such an address, but they save it
      $("original").download = fileName(picture);
      $("original").textContent = "Save picture";
    }
    $("position").textContent = `${index + 1} of ${entries.length}`;
    $("told").textContent = "";
    for (const id of ["previous", "next"]) $(id).hidden = entries.length === 1;
    state.picture = picture.file;
    if (!lightbox.open) lightbox.showModal();
    showPortrait();
    tellFavourites();
  }

  /** From the page: the way back (a phone's button) closes it. */
  function open(at) {
    history.pushState({ isOpen: true }, "", hashOf({ ...state, picture: entries[at].file }));
    show(at);
  }

  function step(by) {
    show(index + by);
    writeHash();
  }

  lightbox.addEventListener("close", () => {
    if (state.picture) {
      state.picture = "";
      clearTimeout(writing);
      if (history.state?.isOpen) history.back();
      else writeHash();
    }
    const group = groups.findLast(({ start }) => start <= index);
    if (group) addTiles(group, Infinity).children[index - group.start]?.firstElementChild.focus();
  });
  lightbox.addEventListener("keydown", ({ key, target, altKey, ctrlKey, metaKey }) => {
    if (altKey || ctrlKey || metaKey || target === $("cut")) return;
    if (key === "f") toggleFavourite(entries[index]);
    if (key === "ArrowLeft") step(-1);
    if (key === "ArrowRight") step(1);
  });
  $("favourite").addEventListener("click", () => toggleFavourite(entries[index]));
  $("compare").addEventListener("click", () => {
    isComparing = !isComparing;
    showPortrait();
    if (isComparing) $("cut").focus();
  });
  $("cut").addEventListener("input", cut);
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => lightbox.close());
  $("stage").addEventListener("click", (event) => {
    if (event.target === $("stage")) lightbox.close();
  });

  let touched = null;
  $("stage").addEventListener("pointerdown", (event) => {
    const isSwipe = event.pointerType === "touch" && event.isPrimary && event.target !== $("cut");
    touched = isSwipe ? event : null;
  });
  $("stage").addEventListener("pointerup", (event) => {
    if (!touched || event.pointerId !== touched.pointerId) return;
    const [x, y] = [event.clientX - touched.clientX, event.clientY - touched.clientY];
    touched = null;
    if (Math.abs(x) > 40 && Math.abs(x) > 1.5 * Math.abs(y)) step(x < 0 ? 1 : -1);
  });

  // ---- copying

  /** Where a page has no clipboard, as in some browsers from disk. */
  function copyBySelection(text) {
    const focused = document.activeElement;
    const area = element("textarea", text, "unseen");
    lightbox.append(area);  // outside of an open dialog nothing can be selected
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return isCopied;
  }

  async function copy(text, what) {
    let isCopied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      isCopied = copyBySelection(text);
    }
    $("told").textContent = isCopied ? `${what} copied` : "This browser does not let a page copy";
  }
  $("copy-prompt").addEventListener("click", () => copy(entries[index].prompt, "Prompt"));
  $("copy-seed").addEventListener("click", () => copy(entries[index].seed, "Seed"));

  // ---- downloading

  const packing = $("packing");
  let wanted = [];  // the pictures to download

  const pathOf = (picture) => decodeURIComponent(picture.file);
  const fileName = (picture) => pathOf(picture).split("/").at(-1);

  const kCrcTable = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; ++bit) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
    return n;
  });

  function crc32(bytes) {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = kCrcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
  }

  /** Little-endian numbers, each a [value, count of bytes]. */
  function numbers(...fields) {
    const bytes = [];
    for (const [value, size] of fields) {
      for (let k = 0; k < size; ++k) bytes.push((value >>> (8 * k)) & 255);
    }
    return Uint8Array.from(bytes);
  }

  /** A zip file of what is compressed already: stored as it is. */
  function makeZip(files) {
    const [parts, index] = [[], []];
    let offset = 0;
    for (const { path, bytes } of files) {
      const name = new TextEncoder().encode(path);
      // Version 2.0, UTF-8 names, stored, 1 January 1980; then check sum, sizes, length of the name.
      const common = [[20, 2], [0x800, 2], [0, 2], [0, 2], [0x21, 2], [crc32(bytes), 4],
        [bytes.length, 4], [bytes.length, 4], [name.length, 2], [0, 2]];
      const head = numbers([0x04034b50, 4], ...common);
      parts.push(head, name, bytes);
      index.push(numbers([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4],
        [offset, 4]), name);
      offset += head.length + name.length + bytes.length;
    }
    const size = index.reduce((sum, { length }) => sum + length, 0);
    const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2],
      [size, 4], [offset, 4], [0, 2]);
    return new Blob([...parts, ...index, end], { type: "application/zip" });
  }

  function save(blob, name) {
    const link = Object.assign(element("a", ""), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  /** @param files by path within the page's folder, as the reader has chosen it; or null */
  async function readBytes(picture, files) {
    if (picture.address) {
      return Uint8Array.from(atob(picture.address.split(",")[1]), (letter) => letter.charCodeAt(0));
    }
    if (files) {
      const file = files.get(pathOf(picture).normalize());
      return file && new Uint8Array(await file.arrayBuffer());
    }
    const answer = await fetch(picture.file);
    return answer.ok ? new Uint8Array(await answer.arrayBuffer()) : undefined;
  }

  async function pack(files) {
    const found = [];
    for (const picture of wanted) {
      $("packed").textContent = `Reading picture ${found.length + 1} of ${wanted.length}`;
      let bytes;
      try {
        bytes = await readBytes(picture, files);
      } catch {
        // Told below, with how many there are.
      }
      if (bytes) found.push({ path: pathOf(picture).replace(/^pictures\//, ""), bytes });
    }
    const lost = wanted.length - found.length;
    if (found.length > 0) save(makeZip(found), `${document.title}.zip`);
    $("packed").textContent =
      (found.length > 0 ? `Packed ${counted(found.length, "picture")}. ` : "") +
      (lost > 0 ? `${counted(lost, "picture")} could not be read` +
        (files ? ": choose the folder in which this page lies." : ".") : "");
  }

  // A browser shows pictures to a page from the disk, but does not let it read them.
  const mustAsk = owner === undefined && location.protocol === "file:";

  $("download").addEventListener("click", () => {
    const marked = chosen();
    wanted = marked.length > 0 ? marked : [...new Set(entries)];
    $("packing-text").textContent = (marked.length > 0
      ? `${counted(wanted.length, "favourite")}, as one zip file. `
      : `${counted(wanted.length, "picture")}: all that are shown now, as you have no favourites. `) +
      (mustAsk ? "Your browser will ask for the folder in which this page lies. Choose it, so that " +
        "the page can read the pictures. Nothing leaves this computer." : "");
    $("pack").textContent = mustAsk ? "Choose folder and zip" : "Zip file";
    $("pack").disabled = $("list").disabled = wanted.length === 0;
    $("packed").textContent = "";
    packing.showModal();
  });
  $("pack").addEventListener("click", () => mustAsk ? $("folder").click() : pack(null));
  $("folder").addEventListener("change", ({ target }) => {
    const within = (file) => file.webkitRelativePath.split("/").slice(1).join("/").normalize();
    pack(new Map([...target.files].map((file) => [within(file), file])));
    target.value = "";
  });
  $("list").addEventListener("click", () => {
    save(new Blob(wanted.map((picture) => pathOf(picture) + "\n"), { type: "text/plain" }),
      `${document.title}.txt`);
    $("packed").textContent = `Listed ${counted(wanted.length, "file")}, a line each.`;
  });
  $("leave").addEventListener("click", () => packing.close());

  // ---- the page

  function sync() {
    readHash();
    render();
    const at = entries.findIndex(({ file }) => file === state.picture);
    if (at >= 0) return show(at);
    state.picture = "";
    lightbox.close();
  }

  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("controls").addEventListener("input", ({ target }) => {
    state[target.name] = target.type !== "checkbox" ? target.value : target.checked ? "1" : "";
    render();
    writeHash();
  });
  cards.addEventListener("click", (event) => {
    const heart = event.target.closest(".heart");
    if (heart) return toggleFavourite(heart.picture);
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(Number(tile.dataset.index));
  });
  // Errors of pictures do not bubble, but they can be caught on their way down.
  document.addEventListener("error", ({ target }) => {
    if (target === $("before")) $("before").hidden = $("seam").hidden = $("compare").hidden = true;
    else target.parentElement.classList.add("broken");
  }, true);
  addEventListener("popstate", () => {
    sync();
    // The browser goes back to where it was scrolled to: away from a picture reached by arrows.
    requestAnimationFrame(
      () => document.activeElement.closest(".tile")?.scrollIntoView({ block: "nearest" }));
  });

  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  function setTheme(theme) {
    if (theme) root.dataset.theme = theme;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
    $("theme").setAttribute("aria-pressed", isDark);
    return isDark;
  }
  $("theme").addEventListener("click", () => {
    setTheme(setTheme() ? "light" : "dark");
    remembered(() => localStorage.setItem("theme", root.dataset.theme));
  });
  systemIsDark.addEventListener("change", () => setTheme());
  setTheme(remembered(() => localStorage.getItem("theme")));

  $("theme").hidden = $("controls").hidden = false;
  $("person-filter").hidden = $("grouping").hidden = owner !== undefined;
  sync();
}
