/**
 * What we take from npm, built for the learner pages.
 *
 * Takes the packages that `package-lock.json` names, as `npm ci` laid them down, and writes one module and its licence
 * into `../assets`, with `built.json` beside this file, which says from what each was made. The same packages give the
 * same bytes. Stands alone so that whoever only runs Tribune needs neither npm nor node.
 */

import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const ASSETS = new URL("../assets/", import.meta.url);
const HERE = new URL("./", import.meta.url);

/** The icons that our player shows, and those that the library takes by itself; the others are left out. */
const ICONS = new Set(
  [
    ..."play pause replay captions chapters audio circle cancel".split(" "),
    ..."volume-mute volume-low volume-medium volume-high fullscreen-enter fullscreen-exit".split(" "),
    ..."picture-in-picture-enter picture-in-picture-exit".split(" "),
  ].map((name) => `vjs-icon-${name}`),
);

/** Where the library would look for its reader of captions if it were not in the module; no page of ours asks there. */
const ELSEWHERE = "'https://vjs.zencdn.net/vttjs/0.14.1/vtt.min.js'";

const ours = {
  name: "ours",
  setup(bundle) {
    bundle.onLoad({ filter: /video\.js\/core\.es\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const line = /^var icons = (".*");$/m;
      const sprite = JSON.parse(line.exec(source)[1]);
      const symbols = sprite.match(/<symbol[^]*?<\/symbol>/g).filter((each) => ICONS.has(/id="([^"]*)"/.exec(each)[1]));
      if (symbols.length !== ICONS.size) throw new Error("the library names its icons otherwise: see ICONS");
      const kept = `<svg xmlns="http://www.w3.org/2000/svg"><defs>${symbols.join("")}</defs></svg>`;
      if (source.split(ELSEWHERE).length !== 2) throw new Error("the library looks elsewhere otherwise: see ELSEWHERE");
      return { contents: source.replace(line, () => `var icons = ${JSON.stringify(kept)};`).replace(ELSEWHERE, "''") };
    });
  },
};

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
const lock = JSON.parse(await readFile(new URL("package-lock.json", HERE)));
const { version } = lock.packages["node_modules/video.js"];
const notice = `/*! Video.js ${version}, with vtt.js; Apache License 2.0, see video-js.licence.txt */`;

const { outputFiles, metafile } = await build({
  absWorkingDir: new URL(".", HERE).pathname,
  entryPoints: ["player-library.js"],
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  format: "esm",
  target: "es2021",
  legalComments: "none",
  plugins: [ours],
  // Without this line the library adds style elements of its own as soon as it is loaded, which our pages forbid.
  banner: { js: `${notice}\nglobalThis.VIDEOJS_NO_DYNAMIC_STYLE = true;` },
});

// What is in the module is what its parts let us pass on: each part brings its licence.
const parts = new Set(
  Object.keys(metafile.inputs)
    .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter(Boolean),
);
const licences = [];
for (const part of [...parts].sort()) {
  const { version: its, license } = lock.packages[`node_modules/${part}`];
  const folder = new URL(`node_modules/${part}/`, HERE);
  const name = (await readdir(folder)).find((file) => /^licen[cs]e(\.|$)/i.test(file));
  const text = await readFile(new URL(name, folder), "utf8");
  licences.push(`${part} ${its} (${license})\n\n${text.trim()}`.trim());
}

const written = {
  "video-js.js": outputFiles[0].contents,
  "video-js.licence.txt": Buffer.from(`${licences.join(`\n\n${"-".repeat(80)}\n\n`)}\n`),
};
for (const [name, bytes] of Object.entries(written)) await writeFile(new URL(name, ASSETS), bytes);

const sources = ["build.mjs", "package.json", "package-lock.json", "player-library.js"];
const made = { from: {}, files: {} };
for (const name of sources) made.from[name] = digest(await readFile(new URL(name, HERE)));
for (const [name, bytes] of Object.entries(written)) made.files[name] = digest(bytes);
await writeFile(new URL("built.json", HERE), `${JSON.stringify(made, null, 2)}\n`);
