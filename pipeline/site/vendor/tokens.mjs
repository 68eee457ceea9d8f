/**
 * Takes from the GC Design System's tokens those that our theme names, and writes them as a part of our style sheet.
 *
 * In: `@gcds-core/tokens` as npm has laid it in node_modules, and `styles/themes/gc.css`. Out: `gcds-tokens.css` and the
 * licence beside it. Stands alone because it is run by `make vendor` only, when the version or the theme changes.
 */

import { readFileSync, writeFileSync } from "node:fs";

const from = new URL("node_modules/@gcds-core/tokens/", import.meta.url);
const themes = new URL("../styles/themes/", import.meta.url);
const read = (url) => readFileSync(url, "utf8");

const { version } = JSON.parse(read(new URL("package.json", from)));
const licence = read(new URL("LICENSE", from));
const sheet = read(new URL("build/web/css/tokens.css", from));
const values = new Map([...sheet.matchAll(/(--gcds-[\w-]+): ([^;]+);/g)].map(([, name, value]) => [name, value]));
const named = [...new Set(read(new URL("gc.css", themes)).match(/--gcds-[\w-]+/g))].sort();
const lines = named.map((name) => {
  if (!values.has(name)) throw new Error(`@gcds-core/tokens ${version} has no ${name}`);
  return `  ${name}: ${values.get(name)};`;
});
const copyright = licence.match(/^Copyright.*$/m)[0];

writeFileSync(
  new URL("gcds-tokens.css", themes),
  `/* From @gcds-core/tokens ${version}, MIT licence. ${copyright}. Written by \`make vendor\`. */\n\n:root {\n${lines.join("\n")}\n}\n`,
);
writeFileSync(new URL("LICENSE.gcds-tokens.txt", themes), licence);
