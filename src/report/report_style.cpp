// report/report_style.cpp — style sheet and script of glassheap_report; all of it inline, nothing
//         fetched.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "report/report.hpp"

namespace glassheap::report {

const char *const kReportStyle = R"css(
:root{--bg:#fbfaf7;--fg:#1d1f23;--dim:#5b616b;--line:#d5d3cc;--card:#fff;--accent:#0b5cad;
--f0:#1f4e79;--f1:#4584b6;--f2:#8fbbd9;--f3:#c9dfec;--f4:#eef4f8;
--v0:#13594e;--v1:#3fa58f;--v2:#a9d9cd;--v3:#e2dfd6;--p0:#b5382a;--p1:#d9822b;--p2:#f0c692;--p3:#e2dfd6;
--t-head:#55606e;--t-lp:#8a6db1;--t-live:#2f7d4f;--t-hot:#c07a12;--t-old:#a9a59b;--t-free:#f1efe9}
@media (prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#e8e6e1;--dim:#a5abb5;--line:#3a3e45;--card:#1d2024;
--accent:#7db8f0;--f0:#d5e8f7;--f1:#86b9df;--f2:#4d86b3;--f3:#2c5274;--f4:#1f2f3e;
--v0:#c4efe5;--v1:#5cc2ab;--v2:#2b6b5e;--v3:#34373c;--p0:#ff8d7d;--p1:#f0a95c;--p2:#7c5a30;--p3:#34373c;
--t-head:#9aa4b1;--t-lp:#b79be0;--t-live:#63c48a;--t-hot:#e9b04e;--t-old:#6d6a64;--t-free:#26292e}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:72rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:.2rem 0;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:0 0 .5rem}
p{margin:.4rem 0}a{color:var(--accent)}code{font-size:.85em;overflow-wrap:anywhere}
nav a{display:inline-block;padding:.5rem .6rem .5rem 0}
section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;margin:1rem 0}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;background:var(--card);padding:.5rem;z-index:1}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .5rem;
border-bottom:1px solid var(--line);font-weight:normal}thead th{color:var(--dim);font-size:.85rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.s{color:var(--dim)}
.scroll{overflow-x:auto}tbody th{overflow-wrap:anywhere}thead .n{white-space:normal}
svg{display:block;width:100%;height:auto}svg text{fill:currentColor;font:11px system-ui,sans-serif}
.choice{border:0;padding:0;margin:.5rem 0}.choice legend{float:left;padding:0 .8rem 0 0;color:var(--dim)}
.choice label{display:inline-block;padding:.3rem .8rem .3rem 0}
.maps svg,#legends .legend{display:none}
.show-free .m-free,.show-vm .m-vm,.show-pool .m-pool{display:block!important}
.legend{list-style:none;padding:0;margin:.6rem 0}.legend li{display:inline-block;margin:0 1rem .3rem 0}
.legend svg{display:inline-block;width:.9rem;height:.9rem;vertical-align:-.1rem}
output{display:block;min-height:4.6rem;padding:.5rem;border-left:4px solid var(--accent);background:var(--bg)}
.cursor{fill:none;stroke:var(--fg);stroke-width:2}
.f0{fill:var(--f0)}.f1{fill:var(--f1)}.f2{fill:var(--f2)}.f3{fill:var(--f3)}.f4{fill:var(--f4)}
.v0{fill:var(--v0)}.v1{fill:var(--v1)}.v2{fill:var(--v2)}.v3{fill:var(--v3)}
.p0{fill:var(--p0)}.p1{fill:var(--p1)}.p2{fill:var(--p2)}.p3{fill:var(--p3)}
.f4,.v3,.p3,.t-free{stroke:var(--line);stroke-width:.5}
.t-head{fill:var(--t-head)}.t-lp{fill:var(--t-lp)}.t-live{fill:var(--t-live)}.t-hot{fill:var(--t-hot)}
.t-old{fill:var(--t-old)}.t-free{fill:var(--t-free)}
.t-live,.t-hot,.t-old{stroke:var(--card);stroke-width:1}
.chosen{stroke:var(--fg);stroke-width:2}
.edge{stroke:var(--dim);fill:none}.node{fill:var(--card);stroke:var(--dim)}.path{stroke:var(--p0);stroke-width:2.5}
.arrow{stroke:var(--t-hot);fill:none;stroke-width:1.5}.redirect{stroke-dasharray:4 3;stroke:var(--t-lp)}
.bar{width:100%;height:.9rem;min-width:3rem}.drawing{max-width:45rem}
#pool th:last-child{width:40%}
@media (max-width:40rem){#numbers tr{display:grid;grid-template-columns:1fr auto;border-bottom:1px solid var(--line)}
#numbers th,#numbers td{border:0}#numbers .s{grid-column:1/-1;padding-top:0}#numbers thead th:last-child{display:none}}
footer{color:var(--dim)}
@media print{section{break-inside:avoid}}
)css";

const char *const kReportScript = R"js(
"use strict";
(function () {
  function byId(id) { return document.getElementById(id); }
  function json(id) { var e = byId(id); return e ? JSON.parse(e.textContent) : null; }
  // A picture with a cursor: keys and pointer choose one of `count` things, laid out in `columns`.
  function picture(box, count, columns, at, choose) {
    var now = -1;
    function go(i) { if (i >= 0 && i < count) { now = i; choose(i); } }
    box.addEventListener("keydown", function (e) {
      var step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns,
                   PageDown: columns * 8, PageUp: -columns * 8 }[e.key];
      if (e.key === "Home") go(0);
      else if (e.key === "End") go(count - 1);
      else if (step) go(now < 0 ? 0 : Math.max(0, Math.min(count - 1, now + step)));
      else return;
      e.preventDefault();
    });
    box.addEventListener("focus", function () { if (now < 0) go(0); });
    function point(e) { var i = at(e); if (i !== null) go(i); }
    box.addEventListener("pointermove", point);
    box.addEventListener("pointerdown", point);
  }
  function percent(part, whole) { return whole ? Math.round(part * 1000 / whole) / 10 + " %" : "0 %"; }

  var maps = byId("maps"), map = json("map-data");
  // From a cell to its page: this report draws one page, the server draws the others.
  function wayTo(first, last) {
    var way;
    if (map.drawn >= first && map.drawn <= last) {
      way = document.createElement("a");
      way.href = "#page";
      way.textContent = "Page " + map.drawn + " is drawn below.";
    } else {
      way = document.createElement("code");
      way.textContent = "SELECT glassheap_report('" + maps.dataset.table.replace(/'/g, "''") + "', " + first + ")";
    }
    return way;
  }
  if (maps && map) {
    document.querySelectorAll("input[name=shade]").forEach(function (input) {
      input.addEventListener("change", function () {
        maps.className = "picture maps show-" + input.value;
        byId("legends").className = "show-" + input.value;
      });
    });
    picture(maps, map.cells.length, map.columns, function (e) {
      var svg = e.target.closest("svg");
      if (!svg) return null;
      var box = svg.getBoundingClientRect(), size = box.width / map.columns;
      var i = Math.floor((e.clientY - box.top) / size) * map.columns + Math.floor((e.clientX - box.left) / size);
      return i < map.cells.length ? i : null;
    }, function (i) {
      var c = map.cells[i], last = c[0] + c[1] - 1;
      var text = byId("map-text");
      text.textContent = (c[1] === 1 ? "Page " + c[0] : "Pages " + c[0] + " to " + last) + ": " +
        c[2].toLocaleString("en") + " bytes free (" + percent(c[2], c[1] * 8192) + "), " +
        (c[1] === 1 ? (c[4] ? "all-frozen" : c[3] ? "all-visible" : "not all-visible") + ", " +
                      (c[6] ? "in the pool and dirty" : c[5] ? "in the pool" : "on disk only")
                    : c[3] + " all-visible, " + c[4] + " all-frozen, " + c[5] + " in the pool, " + c[6] + " dirty") + ".";
      text.append(document.createElement("br"), wayTo(c[0], last));
      maps.querySelectorAll(".cursor").forEach(function (r) {
        r.setAttribute("x", i % map.columns * 10);
        r.setAttribute("y", Math.floor(i / map.columns) * 10);
        r.setAttribute("visibility", "visible");
      });
    });
  }

  var drawing = byId("page-picture"), items = json("page-data");
  if (drawing && items) {
    picture(drawing, items.length, 1, function (e) {
      var n = e.target.getAttribute("data-item");
      return n === null ? null : +n;
    }, function (i) {
      drawing.querySelectorAll(".chosen").forEach(function (r) { r.classList.remove("chosen"); });
      drawing.querySelectorAll("[data-item='" + i + "']").forEach(function (r) { r.classList.add("chosen"); });
      byId("page-text").textContent = items[i];
    });
  }
})();
)js";

}  // namespace glassheap::report
