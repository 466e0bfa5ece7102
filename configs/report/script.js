"use strict";
{
  const $ = (id) => document.getElementById(id);
  const { portraits, milestones } = JSON.parse($("data").textContent);
  const state = { portrait: 0, milestone: Math.max(milestones.findIndex(({ kept }) => kept), 0), preview: 0 };

  const two = (value) => value.toFixed(2);
  const portraitImage = (k) => $(`portrait-${k}`);
  const previewImage = (k) => $(`preview-${milestones[state.milestone].step}-${k}`);

  const [left, right] = [new Image(), new Image()];

  function element(tag, text) {
    return Object.assign(document.createElement(tag), { textContent: text });
  }

  function describePortrait(k) {
    const likeness = milestones[state.milestone].likeness_by_portrait?.[k];
    return likeness === undefined ? "" :
      likeness === null ? "no face is seen in it" : `likeness ${two(likeness)}`;
  }

  function describeMilestone({ step, kept, likeness }) {
    return `Step ${step}${kept ? ", kept" : ""}` +
      (likeness === undefined ? "" : `, likeness ${two(likeness)}`);
  }

  function show() {
    const milestone = milestones[state.milestone];
    state.preview = Math.min(state.preview, milestone.prompts.length - 1);
    Object.assign(left, { src: portraitImage(state.portrait).src, alt: portraits[state.portrait].file });
    $("left-text").replaceChildren(portraits[state.portrait].file,
      element("small", describePortrait(state.portrait)));
    Object.assign(right, { src: previewImage(state.preview).src, alt: milestone.prompts[state.preview] });
    $("right-text").replaceChildren(milestone.prompts[state.preview],
      element("small", describeMilestone(milestone)));
    $("milestone").value = state.milestone;
    $("milestone").setAttribute("aria-valuetext", describeMilestone(milestone));
    $("milestone-text").textContent = describeMilestone(milestone);
    choices($("portraits-to-choose"), portraits.map(({ file }, k) => [portraitImage(k), file]), "portrait");
    choices($("previews-to-choose"), milestone.prompts.map((text, k) => [previewImage(k), text]), "preview");
  }

  /** Small pictures, of which one is chosen. Buttons that are there stay, and keep the focus. */
  function choices(place, images, what) {
    while (place.children.length > images.length) place.lastChild.remove();
    images.forEach(([image, name], k) => {
      const button = place.children[k] ?? place.appendChild(element("button", ""));
      if (!button.firstChild) {
        button.type = "button";
        button.append(Object.assign(new Image(), { alt: "" }));
        button.addEventListener("click", () => {
          state[what] = k;
          show();
        });
      }
      button.firstChild.src = image.src;
      button.setAttribute("aria-label", name);
      button.setAttribute("aria-pressed", state[what] === k);
    });
  }

  // Folders of earlier versions hold whole sheets only, which are shown below.
  if (portraits.length > 0 && milestones.length > 0) {
    $("left").prepend(left);
    $("right").prepend(right);
    $("milestone").max = milestones.length - 1;
    $("milestone").parentElement.hidden = milestones.length === 1;
    $("milestone").addEventListener("input", ({ target }) => {
      state.milestone = Number(target.value);
      show();
    });
    show();
    $("side-by-side").hidden = false;
  }
}
