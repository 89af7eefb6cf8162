let kept, busy
async function ask(path, method, body) {
  const answer = await fetch(path, {
    method, body: body && JSON.stringify(body), headers: body && {"Content-Type": "application/json"},
    cache: "no-store", signal: AbortSignal.timeout?.(9000),
  })
  const told = await answer.json()
  if (!answer.ok) throw told
  return told
}
const watt = w => w == null ? "–" : w + " W"
const time = s => s < 100 ? s + " s" : Math.round(s / 60) + " min"

// A form of settings, each field named by its key: only what was changed is sent.
const form = document.forms[0]
async function load() {
  kept = (await ask("/api/settings")).settings
  for (const field of form) if (field.name) field.value = kept[field.name]
}
async function send(work) {
  // The board has two clients at most, and this page's figures come by one of them.
  if (busy) return
  busy = 1
  const said = $("said")
  said.className = ""
  said.textContent = "…"
  try {
    await work()
    said.textContent = T("Bewaard|Saved|Enregistré")
  } catch (told) {
    said.className = "bad"
    said.textContent = "⚠ " + (told.error || T("Geen antwoord van de module|No answer from the board|Pas de réponse du module"))
  }
  busy = 0
}
form.onsubmit = event => {
  event.preventDefault()
  send(async () => {
    const wanted = {}
    for (const field of form)
      if (field.name && field.value != kept[field.name])
        wanted[field.name] = field.type == "number" ? +field.value : field.value
    kept = (await ask("/api/settings", "PUT", wanted)).settings
  })
}

function state(bad, text) {
  $("state").className = bad ? "bad" : ""
  put("state", text)
}
async function turn() {
  if (!document.hidden)
    try {
      if (!info) {
        info = await ask("/api/info")
        speak(info.language)
        put("name", document.title = info.name || info.board)
      }
      if (!kept) await load()
      const now = await ask("/api/status"), age = now.frame_age_s, silent = age == null || age > 10
      live(now)
      put("foot", `${info.board} (${info.hw}) · ${T("versie|version|version")} ${info.fw} · ${now.frames} frames · ${now.refused} ` + T("geweigerd|refused|refusées"))
      state(silent, silent ? T("⚠ Geen gegevens van de interface|⚠ No data from the interface|⚠ Pas de données de l’interface") + (age > 10 ? ": " + time(age) : "") : T("Verbonden|Connected|Connecté"))
    } catch {
      if (document.body.hidden) speak()
      info = null
      state(true, T("⚠ Geen verbinding met de module|⚠ No connection to the board|⚠ Pas de connexion avec le module"))
    }
  setTimeout(turn, 2000)
}
