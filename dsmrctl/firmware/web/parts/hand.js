// Why the output is as it is, in a person's words.
function reason(now) {
  const left = now.timer_s == null ? "" : time(now.timer_s)
  return {
    silent: T("Uit: er komen geen gegevens|Off: no data arrives|Arrêt : aucune donnée ne vient"),
    key: T("Wacht op een tweede getekende frame|Waits for a second signed frame|Attend une deuxième trame signée"),
    hand: T("Met de hand, nog |By hand, for |À la main, encore ") + left,
    tariff: T("Volgt het tarief van de meter|Follows the meter’s tariff|Suit le tarif du compteur"),
    below: T("Te weinig injectie|Too little export|Trop peu d’injection"),
    waiting: T("Schakelt in over |Switches on in |S’enclenche dans ") + left,
    minimum: T("Blijft minstens nog aan: |Stays on for at least |Reste enclenché au moins ") + left,
    export: T("Aan tot er afname is|On until there is import|Enclenché jusqu’au prélèvement"),
    proportional: T("Volgt de injectie|Follows the export|Suit l’injection"),
  }[now.reason] || now.reason
}
function hand(level) {
  const body = level == null ? {level} : {level, minutes: +$("minutes").value}
  send(async () => { await ask("/api/output", "PUT", body); live(await ask("/api/status")) })
}
