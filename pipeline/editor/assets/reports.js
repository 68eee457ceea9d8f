/* What learners report as wrong, beside the text: shown at their passage, taken into it, or settled.

   In go what the server keeps and the document, out come changes of the document and decisions that everybody who
   reviews sees. What a learner wrote is only ever text. */

import { button, byId, make, renew } from "./dialogs.js";
import { clock } from "./format.js";
import { findWords } from "./model.js";
import { Refusal } from "./server.js";

export class ReportList {
  /**
   * @param host document and session as they are now; server; place(report) gives where its words stand, or null;
   *   show(report) goes there; put(places, texts) writes; decide(id, state) says so to the server; mark(places) marks
   *   passages; say(key, data), announce(text).
   */
  constructor(host) {
    this.host = host;
    this.reports = [];
    this.states = "";
  }

  /** Ask for the reports again where somebody, or a learner, has changed what the server has of them. */
  async look(states) {
    const known = JSON.stringify([this.host.session.revision, states]);
    if (known === this.states) return;
    this.states = known;
    try {
      const { revision } = this.host.session;
      const found = await this.host.server.get("/reports", { revision });
      // What was asked later is answered later, or has been already.
      if (known !== this.states || revision !== this.host.session.revision) return;
      const fresh = this.asked && found.some(({ id }) => !this.reports.some((each) => each.id === id));
      [this.reports, this.asked] = [found, true];
      if (fresh) this.host.announce(this.host.say("reports_new"));
    } catch (refusal) {
      if (known === this.states) this.states = "";
      if (!(refusal instanceof Refusal)) throw refusal;
    }
    this.show();
  }

  get open() {
    return this.reports.filter(({ state }) => state === "open");
  }

  /** Show the list as it is by now: what is open first, then what was decided and not yet approved. */
  show() {
    const { open } = this;
    byId("reports-part").hidden = !this.reports.length;
    byId("reports-count").textContent = String(open.length);
    byId("legend-reported").hidden = !open.length;
    this.host.mark(open.map((each) => this.host.place(each)).filter((place) => place !== null));
    const shown = [...open, ...this.reports.filter(({ state }) => state !== "open")].map((each) => [each, this.#places(each)]);
    const sight = JSON.stringify(shown.map(([each, places]) => [each, places !== null]));
    if (sight === this.sight) return;
    this.sight = sight;
    renew(byId("reports"), shown.map(([each, places]) => this.#item(each, places)), byId("reports-title"));
  }

  /** Where the words stand that the learner would have otherwise; null where they wrote no text or it is in already. */
  #places({ wanted }) {
    if (!wanted.length) return null;
    const places = findWords(this.host.document, wanted);
    return places.includes(null) ? null : places;
  }

  #item(report, places) {
    const { say } = this.host;
    const time = clock(report.start_ms);
    const act = (key, does, properties = {}) => {
      const made = button(say(key), does, properties);
      made.setAttribute("aria-label", say("report_of", { action: say(key), time }));
      return made;
    };
    const open = report.state === "open";
    const actions = open
      ? [
          places && act("report_wanted", () => this.#put(report), { className: "strong" }),
          act("report_done", () => this.host.decide(report.id, "done")),
          act("report_dismiss", () => this.host.decide(report.id, "dismissed")),
        ]
      : [act("report_reopen", () => this.host.decide(report.id, "open"))];
    const words = (name, text, language) => (text ? make(name, { lang: language, dir: "auto" }, text) : null);
    return make(
      "li",
      { className: open ? "report" : "report settled" },
      make("div", { className: "row" }, act("show", () => this.host.show(report)), make("span", { className: "small" }, time)),
      words("blockquote", report.text, this.host.session.language),
      words("p", report.comment, report.language),
      open ? null : make("p", { className: "small" }, say(`report_state_${report.state}`, { author: report.author })),
      make("div", { className: "row" }, ...actions),
    );
  }

  async #put(report) {
    const places = this.#places(report);
    if (!places) return;
    this.host.put(places, report.wanted.map(({ text }) => text));
    this.host.show(report);
    this.host.announce(this.host.say("report_put_in"));
    await this.host.decide(report.id, "done");
  }
}
