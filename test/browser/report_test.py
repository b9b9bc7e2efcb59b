# test/browser/report_test.py: glassheap_report as its reader has it: opened from a file in Chromium, on a phone and on a
# desk, light and dark, with a mouse and without, and with the numbers that SQL gives.
# SPDX-License-Identifier: PostgreSQL
import argparse
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from webdriver import Browser  # noqa: E402

SETUP = """
CREATE EXTENSION IF NOT EXISTS glassheap;
DROP TABLE IF EXISTS shown, other, "o'dd <name>&", empty;
CREATE TABLE shown (id int PRIMARY KEY, v text, n int) USING glassheap WITH (fillfactor = 85, autovacuum_enabled = off);
INSERT INTO shown SELECT i, repeat('x', i % 300), 0 FROM generate_series(1, 40000) i;
DELETE FROM shown WHERE id % 3 = 0 AND id > 20000;
VACUUM shown;
UPDATE shown SET n = n + 1 WHERE id BETWEEN 1 AND 12;
UPDATE shown SET n = n + 1 WHERE id BETWEEN 1 AND 6;
CREATE TABLE other (id int) USING glassheap;
INSERT INTO other SELECT generate_series(1, 5000);
CREATE TABLE "o'dd <name>&" (id int) USING glassheap;
INSERT INTO "o'dd <name>&" VALUES (1);
CREATE TABLE empty (id int) USING glassheap;
"""


class Test:
    def __init__(self, psql, folder):
        self.psql_program = psql
        self.folder = folder
        self.count = 0
        self.failed = 0

    def ok(self, right, what, detail=""):
        self.count += 1
        self.failed += not right
        print(f"{'ok' if right else 'not ok'} {self.count} - {what}", flush=True)
        if not right and detail != "":
            print(f"#   {detail}", flush=True)

    def equal(self, got, wanted, what):
        self.ok(got == wanted, what, f"got {got!r}, wanted {wanted!r}")

    def sql(self, statement):
        done = subprocess.run([self.psql_program, "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", statement],
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.rstrip("\n")

    def report(self, table, name):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.sql("SELECT glassheap_report($$" + table + "$$)"))
        return path


def self_contained(test, text):
    test.ok(not re.search(r"https?:|//[a-z]|@import|url\((?!#)|<link|<img|<iframe|src=", text),
            "the report names nothing outside itself")
    test.ok(len(text) < 1_000_000, f"it is of modest size: {len(text)} bytes")


NUMBERS = {
    "n-pages": "SELECT pg_relation_size('shown') / 8192",
    "n-bytes": "SELECT pg_relation_size('shown')",
    "n-all-visible": "SELECT all_visible FROM glassheap_visibility_map_summary('shown')",
    "n-all-frozen": "SELECT all_frozen FROM glassheap_visibility_map_summary('shown')",
    "n-free": "SELECT sum(avail) FROM glassheap_freespace('shown')",
    "n-cached": "SELECT coalesce(sum(buffers), 0) FROM glassheap_buffercache_relations WHERE relid = 'shown'::regclass AND fork = 'main'",
    "n-fsm-blocks": "SELECT coalesce(sum(blocks), 0) FROM glassheap_files('shown') WHERE fork = 'fsm'",
    "n-vm-blocks": "SELECT coalesce(sum(blocks), 0) FROM glassheap_files('shown') WHERE fork = 'vm'",
    "n-extensions": "SELECT extensions FROM glassheap_stat_tables WHERE relid = 'shown'::regclass",
    "n-evictions": "SELECT evictions FROM glassheap_stat_tables WHERE relid = 'shown'::regclass",
    "n-live": "SELECT n_live_tup FROM glassheap_stat_tables WHERE relid = 'shown'::regclass",
    "n-dead": "SELECT n_dead_tup FROM glassheap_stat_tables WHERE relid = 'shown'::regclass",
    "p-used": "SELECT buffers_used FROM glassheap_buffercache_summary()",
    "p-total": "SELECT count(*) FROM glassheap_buffercache",
    "d-normal": "SELECT live FROM glassheap_pages('shown') WHERE blkno = {block}",
    "d-dead": "SELECT dead FROM glassheap_pages('shown') WHERE blkno = {block}",
    "d-redirected": "SELECT redirected FROM glassheap_pages('shown') WHERE blkno = {block}",
    "d-unused": "SELECT unused FROM glassheap_pages('shown') WHERE blkno = {block}",
    "d-free": "SELECT free FROM glassheap_pages('shown') WHERE blkno = {block}",
}


def numbers_agree(test, browser):
    value = "return document.getElementById(arguments[0]).dataset.value"
    block = browser.run(value, "d-block")
    for name, statement in NUMBERS.items():
        test.equal(browser.run(value, name), test.sql(statement.format(block=block)), f"{name} equals what SQL says")
    cells = json.loads(browser.run("return document.getElementById('map-data').textContent"))["cells"]
    test.equal(str(sum(cell[1] for cell in cells)), test.sql(NUMBERS["n-pages"]), "the map's cells are all pages")
    test.equal(str(sum(cell[2] for cell in cells)), test.sql(NUMBERS["n-free"]), "the map's cells have all free bytes")
    shown = browser.run("return document.getElementById('n-bytes').textContent")
    size = int(test.sql(NUMBERS["n-bytes"]))
    test.equal(shown, f"{size:,} ({test.sql('SELECT pg_size_pretty(%d::bigint)' % size)})", "bytes are readable")
    first = test.sql("SELECT avail FROM glassheap_freespace('shown') WHERE blkno = 0")
    test.equal(str(cells[0][2]) if cells[0][1] == 1 else first, first, "the first cell is page 0")


def nothing_went_wrong(test, browser, what):
    errors = [entry for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    test.equal(errors, [], f"{what}: no script error, no warning")
    requests = []
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith(("file:", "data:")):
                requests.append(url)
    test.equal(requests, [], f"{what}: no network request")


# Contrast of each kind of text with what is behind it (WCAG: 4.5 for text).
CONTRAST = """
function rgb(c){return c.match(/[\\d.]+/g).slice(0,3).map(Number)}
function lum(c){var v=rgb(c).map(function(x){x/=255;return x<=.03928?x/12.92:Math.pow((x+.055)/1.055,2.4)});return .2126*v[0]+.7152*v[1]+.0722*v[2]}
function behind(e){for(;e;e=e.parentElement){var b=getComputedStyle(e).backgroundColor;if(!/, 0\\)$/.test(b)&&b!=='transparent')return b}return 'rgb(255,255,255)'}
var low=[];
document.querySelectorAll('h1,h2,h3,p,a,td,th,li,label,output,code,legend').forEach(function(e){
  if(!e.textContent.trim()||!e.offsetParent)return;
  var a=lum(getComputedStyle(e).color),b=lum(behind(e)),r=(Math.max(a,b)+.05)/(Math.min(a,b)+.05);
  if(r<4.5)low.push(e.tagName+' '+r.toFixed(2)+' '+e.textContent.slice(0,30))});
return low"""


def readable(test, browser, width, height, scheme):
    what = f"{'phone' if width < 600 else 'desktop'}, {scheme}"
    browser.size(width, height)
    browser.scheme(scheme)
    wide = browser.run("return document.documentElement.scrollWidth - window.innerWidth")
    test.ok(wide <= 0, f"{what}: the page is not wider than the window", f"{wide} pixels too wide")
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(x) for x in re.findall(r"\d+", background)[:3]) / 3
    test.ok((brightness < 90) == (scheme == "dark"), f"{what}: colours follow the reader's preference", background)
    small = browser.run("var s=[];document.querySelectorAll('p,td,th,li,label,output').forEach(function(e){"
                        "if(e.offsetParent&&parseFloat(getComputedStyle(e).fontSize)<13)s.push(e.tagName)});return s.length")
    test.equal(small, 0, f"{what}: no text smaller than 13 pixels")
    test.equal(browser.run(CONTRAST), [], f"{what}: all text stands out from its background")
    test.ok(browser.run("var r=document.getElementById('maps').getBoundingClientRect();return r.width>250&&r.height>40"),
            f"{what}: the map is large enough to be seen")
    hidden = browser.run("var s=[];document.querySelectorAll('.scroll,svg').forEach(function(e){var r=e.getBoundingClientRect();"
                         "if(r.width&&(e.scrollWidth>e.clientWidth+1||r.right>window.innerWidth))s.push(e.getAttribute('aria-label')||e.className.baseVal)});return s")
    test.equal(hidden, [], f"{what}: nothing has to be scrolled sideways")
    browser.screenshot(os.path.join(test.folder, f"report-{what.replace(', ', '-')}.png"))


def by_keyboard(test, browser):
    browser.size(1200, 900)
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    seen = []
    for _ in range(60):
        browser.press("Tab")
        seen.append(browser.run("var e=document.activeElement;return e.id||e.getAttribute('aria-label')||e.getAttribute('href')||e.value||e.tagName"))
        if seen[-1] == "page-picture":
            break
    for wanted in ("#numbers", "#map", "free", "maps", "page-picture"):
        test.ok(wanted in seen, f"the Tab key reaches {wanted}", " ".join(map(str, seen)))
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    test.ok(outline != "none", "what has the focus is marked")
    text = "return document.getElementById(arguments[0]).textContent"
    first = browser.run(text, "page-text")
    test.ok(first.startswith("Item 1:"), "focusing the page chooses its first item", first)
    browser.press("ArrowRight", "ArrowRight")
    test.ok(browser.run(text, "page-text").startswith("Item 3:"), "arrow keys move from item to item", browser.run(text, "page-text"))
    browser.press("End")
    last = test.sql("SELECT max(lp) FROM glassheap_page_items('shown', " + browser.run("return document.getElementById('d-block').dataset.value") + ")")
    test.ok(browser.run(text, "page-text").startswith(f"Item {last}:"), "End goes to the last item")
    browser.run("document.getElementById('maps').focus()")
    browser.press("Home", "ArrowRight")
    one = browser.run(text, "map-text")
    test.ok(re.match(r"Pages? 1\b", one) is not None, "arrow keys move on the map", one)
    free = test.sql("SELECT avail FROM glassheap_freespace('shown') WHERE blkno = 1")
    test.ok(f" {int(free):,} bytes free" in one, "the cell's text is what SQL says", one)
    drawn = int(browser.run("return document.getElementById('d-block').dataset.value"))
    way = "Page 1 is drawn below." if drawn == 1 else "SELECT glassheap_report('public.shown', 1)"
    test.ok(one.endswith(way), "a cell says how to see its page", one)
    cells = json.loads(browser.run("return document.getElementById('map-data').textContent"))["cells"]
    browser.press("Home", *["ArrowRight"] * next(i for i, cell in enumerate(cells) if cell[0] <= drawn < cell[0] + cell[1]))
    test.equal(browser.run("var a=document.querySelector('#map-text a');return a&&a.getAttribute('href')"), "#page",
               "the cell of the page that is drawn leads there")
    browser.press("Home", "ArrowRight")
    one = browser.run(text, "map-text")
    browser.press("ArrowDown")
    test.ok(browser.run(text, "map-text") != one, "... also line by line")
    browser.run("document.querySelector('input[name=shade][value=vm]').focus()")
    browser.press("ArrowRight")
    test.ok(browser.run("return document.getElementById('maps').classList.contains('show-pool') && "
                        "getComputedStyle(document.querySelector('svg.m-pool')).display === 'block' && "
                        "getComputedStyle(document.querySelector('svg.m-free')).display === 'none'"),
            "keys choose what the map is coloured by")


def by_mouse(test, browser):
    place = browser.run("document.getElementById('map').scrollIntoView();document.querySelector('input[value=free]').click();"
                        "var r=document.querySelector('svg.m-free').getBoundingClientRect();return [r.left,r.top,r.width]")
    columns = json.loads(browser.run("return document.getElementById('map-data').textContent"))["columns"]
    cell = place[2] / columns
    browser.move_mouse(int(place[0] + cell * 2.5), int(place[1] + cell * 0.5))
    text = browser.run("return document.getElementById('map-text').textContent")
    test.ok(re.match(r"Pages? 2\b", text) is not None, "pointing at a cell of the map describes it", text)
    place = browser.run("document.getElementById('page-picture').scrollIntoView();"
                        "var r=document.querySelector('#page-picture rect.t-lp').getBoundingClientRect();return [r.left+r.width/2,r.top+r.height/2]")
    browser.move_mouse(int(place[0]), int(place[1]))
    text = browser.run("return document.getElementById('page-text').textContent")
    test.ok(text.startswith("Item "), "pointing at a line pointer describes it", text)


def pictures_say_something(test, browser):
    test.ok(browser.run("return document.querySelectorAll('#page .arrow').length") > 0, "HOT chains are drawn as arrows")
    test.ok(browser.run("var s=document.getElementById('chains'),b=s.viewBox.baseVal;return [...s.querySelectorAll('rect,path.arrow')].every("
                        "e=>{var r=e.getBBox();return r.x>=0&&r.y>=0&&r.x+r.width<=b.width&&r.y+r.height<=b.height})"),
            "all of them inside their picture, arrow heads too")
    test.ok(browser.run("return document.querySelectorAll('#fsm .node').length") == 15, "four levels of the free space map's tree are drawn")
    test.ok(browser.run("return document.querySelectorAll('#pool .bar').length") >= 2, "the pool's tables are drawn as bars")
    test.ok(browser.run("return [...document.querySelectorAll('svg[role=img]')].every(s => s.getAttribute('aria-label'))"),
            "every picture has a name for those who cannot see it")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--psql", required=True)
    options.add_argument("--folder", required=True)
    given = options.parse_args()
    test = Test(given.psql, given.folder)
    for statement in SETUP.strip().split(";\n"):
        test.sql(statement)
    test.sql("CHECKPOINT")
    # A session's counters have arrived when it is gone.
    while test.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()") != "0":
        pass
    path = test.report("shown", "report.html")
    with open(path, encoding="utf-8") as file:
        self_contained(test, file.read())
    browser = Browser()
    try:
        browser.open("about:blank")
        browser.log("performance")  # what the browser's own first page asked for
        browser.open("file://" + os.path.abspath(path))
        numbers_agree(test, browser)
        pictures_say_something(test, browser)
        for width, height in ((390, 844), (1280, 900)):
            for scheme in ("light", "dark"):
                readable(test, browser, width, height, scheme)
        browser.scheme("light")
        by_keyboard(test, browser)
        by_mouse(test, browser)
        nothing_went_wrong(test, browser, "table with 40000 rows")
        for table, name in (("empty", "empty.html"), ('"o\'dd <name>&"', "odd.html"), ("other", "other.html")):
            browser.open("file://" + os.path.abspath(test.report(table, name)))
            title = browser.run("return document.querySelector('h1').textContent")
            test.equal(title, "public." + table.strip('"'), f"the title of table {table}")
            nothing_went_wrong(test, browser, f"table {table}")
    finally:
        browser.close()
    print(f"1..{test.count}")
    return 1 if test.failed else 0


if __name__ == "__main__":
    sys.exit(main())
