#pragma once

namespace sdx {

/// The report's only style sheet: light and dark as the reader's system is, one column on a phone.
inline constexpr const char* kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --ground: #fbfaf8; --card: #ffffff; --ink: #1c1b19; --soft: #66625c; --rule: #e4e1db;
  --c0: #2458c5; --c1: #b4470b; --c2: #0b7a68; --kept: #1c1b19;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #161719; --card: #1e2023; --ink: #ecebe8; --soft: #a5a29c; --rule: #34373b;
    --c0: #8ab0ff; --c1: #ffab73; --c2: #58d3bd; --kept: #ecebe8;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem); }
header { padding-top: clamp(1.5rem, 5vw, 3.5rem); }
h1 { margin: 0; font-size: clamp(2rem, 6vw, 3rem); line-height: 1.1; letter-spacing: -0.02em;
  overflow-wrap: anywhere; }
h2 { margin: 3rem 0 1rem; font-size: 1.25rem; letter-spacing: -0.01em; }
.lead { margin: 0.75rem 0 1.75rem; max-width: 42rem; color: var(--soft); font-size: 1.1rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1px;
  margin: 0; background: var(--rule); border: 1px solid var(--rule); border-radius: 0.75rem;
  overflow: hidden; }
.facts div { padding: 0.9rem 1.1rem; background: var(--card); }
.facts dt { color: var(--soft); font-size: 0.85rem; }
.facts dd { margin: 0; font-size: 1.35rem; font-weight: 600; letter-spacing: -0.01em; }
.facts small { display: block; color: var(--soft); font-size: 0.85rem; font-weight: 400;
  letter-spacing: 0; }
.grid { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit,
  minmax(min(100%, 24rem), 1fr)); }
.grid.small { margin-top: 1.25rem; grid-template-columns: repeat(auto-fit,
  minmax(min(100%, 19rem), 1fr)); }
figure { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--rule);
  border-radius: 0.75rem; min-width: 0; }
figcaption { font-weight: 600; }
figcaption small { display: block; color: var(--soft); font-size: 0.9rem; font-weight: 400; }
figure img { display: block; width: 100%; height: auto; margin-top: 0.75rem; border-radius: 0.35rem; }
.crops { width: fit-content; max-width: 100%; }
.crops img { width: auto; max-width: 100%; max-height: 36rem; }
.kept { outline: 2px solid var(--c0); outline-offset: -1px; }
.badge { padding: 0.1rem 0.55rem; border-radius: 1rem; background: var(--c0); color: var(--card);
  font-size: 0.8rem; margin-left: 0.4rem; white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; margin: 0.15rem 0 0; padding: 0;
  list-style: none; font-size: 0.85rem; font-weight: 400; color: var(--soft); }
.legend li { display: flex; align-items: center; gap: 0.4rem; }
.legend li::before { content: ""; width: 1.1rem; border-top: 0.18rem solid currentColor; }
.legend .c0::before { color: var(--c0); }
.legend .c1::before { color: var(--c1); border-top-style: dashed; }
.legend .c2::before { color: var(--c2); border-top-style: dotted; }
.legend .faint::before { opacity: 0.4; }
svg { display: block; width: 100%; height: auto; margin-top: 0.5rem; overflow: visible; }
svg text { fill: var(--soft); font-size: 12px; }
.small svg text { font-size: 15px; }
@media (max-width: 40rem) { svg text { font-size: 15px; } }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .marked { fill: var(--kept); font-weight: 600; }
svg path { fill: none; stroke-linejoin: round; stroke-linecap: round; }
.axis { stroke: var(--soft); }
.grid path.grid { stroke: var(--rule); }
.mark { stroke: var(--kept); stroke-dasharray: 2 4; }
.curve { stroke-width: 2; }
path.c0 { stroke: var(--c0); } circle.c0 { fill: var(--c0); }
path.c1 { stroke: var(--c1); stroke-dasharray: 7 4; } circle.c1 { fill: var(--c1); }
path.c2 { stroke: var(--c2); stroke-dasharray: 1 5; } circle.c2 { fill: var(--c2); }
path.faint { stroke-width: 1.25; opacity: 0.4; } circle.faint { opacity: 0.4; }
.settings { columns: 2 22rem; column-gap: 3rem; margin: 0; font-size: 0.95rem; }
.settings div { display: flex; justify-content: space-between; gap: 1.5rem; padding: 0.35rem 0;
  border-bottom: 1px solid var(--rule); break-inside: avoid; }
.settings dt { color: var(--soft); white-space: nowrap; }
.settings dd { margin: 0; text-align: right; overflow-wrap: anywhere; min-width: 0; }
footer { padding-top: 2.5rem; padding-bottom: 3rem; color: var(--soft); font-size: 0.9rem; }
@media print { figure, .settings div { break-inside: avoid; } }
)css";

}  // namespace sdx
