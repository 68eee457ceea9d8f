/**
 * Leads from a session to the one before and the one after it in its programme.
 *
 * Takes the place that the page keeps for it, which without script leads to the programme, and the programme's list of
 * sessions (order.py), so that the page of a session need not change when another comes or is withdrawn. Where languages
 * take turns in a programme, the nearest session is meant that shares a language with this one. Stands alone because
 * nothing else on the page knows of other sessions.
 */

const place = document.getElementById("onward");

/** Return the sessions before and after the one of that page, each undefined where there is none. */
function neighbours(sessions, page) {
  const here = sessions.findIndex((session) => session.page === page);
  // A page may be there a moment before its programme tells of it.
  if (here < 0) return [];
  const shared = ({ languages }) => languages.some((language) => sessions[here].languages.includes(language));
  return [sessions.slice(0, here).findLast(shared), sessions.slice(here + 1).find(shared)];
}

function make(tag, ...content) {
  const made = document.createElement(tag);
  made.append(...content);
  return made;
}

function makeStep({ page, title, lang, week }, rel) {
  const said = place.dataset[rel];
  const label = make("span", week ? `${said} · ${place.dataset.week.replace("{week}", week)}` : said);
  label.className = "small";
  const name = make("bdi", title);
  if (lang) name.lang = lang;
  const link = make("a", label, " ", name);
  link.rel = rel;
  link.href = `../../${page}`;
  return make("li", link);
}

async function lead() {
  const answer = await fetch(place.dataset.sessions);
  if (!answer.ok) return;
  const { sessions } = await answer.json();
  const [before, after] = neighbours(sessions, place.dataset.page);
  const steps = place.querySelector("ul");
  if (before) steps.append(makeStep(before, "prev"));
  if (after) steps.append(makeStep(after, "next"));
}

// Where the list cannot be had, the way to the programme is still there.
if (place) lead().catch(() => {});
