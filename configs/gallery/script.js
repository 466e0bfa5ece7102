"use strict";
{
  const $ = (id) => document.getElementById(id);
  const { people, pictures } = JSON.parse($("data").textContent);
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

  const kNothing = { view: "person", search: "", person: "", prompt: "", picture: "" };
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
    $("controls").elements.view.value = state.view;
  }

  /** A little later: browsers refuse more than about a hundred changes in half a minute. */
  function writeHash() {
    clearTimeout(writing);
    writing = setTimeout(() => history.replaceState(history.state, "", hashOf(state)), 150);
  }

  // ---- what is shown: groups (a card each) of pictures

  let groups = [];
  let entries = [];  // the pictures of all groups in their order, one of two people twice
  let rendered = "";

  function matches(picture, words) {
    if (state.person && !picture.names.includes(state.person)) return false;
    if (state.prompt && picture.template !== state.prompt) return false;
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
      (!pictured.has(name) && !state.prompt && (!state.person || name === state.person) &&
        words.every((word) => fold(name).includes(word)));
    const result = people.filter(isShown).map(({ name, note }) => (
      { title: name, note, pictures: of.get(name), link: { person: name } }));
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
    tile.href = hashOf({ picture: picture.file });
    tile.dataset.index = index;
    image.alt = `${plain(picture)}, seed ${picture.seed}`;
    image.src = picture.thumbnail ?? picture.file;
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
    $("result").textContent = counted(count, "picture") + ", " +
      (state.view === "prompt" ? counted(of, "prompt") : counted(of, "person", "people"));
    if (groups.length > 0) return;
    const nothing = element("p", "Nothing is found. ", "nothing");
    nothing.append(Object.assign(element("a", "Show everything"), { href: "#" }));
    cards.append(nothing);
  }

  // ---- one picture, large

  let index = 0;

  function show(at) {
    index = (at + entries.length) % entries.length;
    const picture = entries[index];
    const image = $("picture");
    $("stage").classList.remove("broken");
    image.style.setProperty("--width", picture.width || 1);
    image.style.setProperty("--height", picture.height || 1);
    image.alt = plain(picture);
    image.src = picture.file;
    $("words").replaceChildren(...marked(picture.prompt, /(<[^<>]+>)/));
    const facts = { Seed: picture.seed, Without: picture.negative, Settings: picture.settings,
      Size: picture.width ? `${picture.width} × ${picture.height}` : "" };
    $("facts").replaceChildren();
    for (const [term, value] of Object.entries(facts)) {
      const row = element("div", "");
      row.append(element("dt", term), element("dd", value));
      if (value) $("facts").append(row);
    }
    $("original").href = picture.file;
    $("position").textContent = `${index + 1} of ${entries.length}`;
    $("told").textContent = "";
    for (const id of ["previous", "next"]) $(id).hidden = entries.length === 1;
    state.picture = picture.file;
    if (!lightbox.open) lightbox.showModal();
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
  lightbox.addEventListener("keydown", ({ key, altKey, ctrlKey, metaKey }) => {
    if (altKey || ctrlKey || metaKey) return;
    if (key === "ArrowLeft") step(-1);
    if (key === "ArrowRight") step(1);
  });
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => lightbox.close());
  $("stage").addEventListener("click", (event) => {
    if (event.target === $("stage")) lightbox.close();
  });

  let touched = null;
  $("stage").addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch" && event.isPrimary ? event : null;
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

  // ---- the page

  /** Some browsers keep nothing for a page from disk, and say so by throwing. */
  function remembered(action) {
    try {
      return action();
    } catch {
      return null;
    }
  }

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
    state[target.name] = target.value;
    render();
    writeHash();
  });
  cards.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(Number(tile.dataset.index));
  });
  // Errors of pictures do not bubble, but they can be caught on their way down.
  document.addEventListener("error", ({ target }) => target.parentElement.classList.add("broken"), true);
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
  sync();
}
