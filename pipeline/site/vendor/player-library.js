/** The player without streaming, its only entry for our pages: `player.js` builds on it. */
export { default } from "video.js/core.es.js";
