// A text stands where it is shown, in nl|en|fr; speak() keeps the part of the board's language.
let lang = 0, info
const $ = id => document.getElementById(id)
const T = text => text.split("|")[lang] ?? text
const put = (id, text) => { if ($(id).textContent != text) $(id).textContent = text }

const texts = [], walk = document.createTreeWalker(document.body, 4)
while (walk.nextNode())
  if (walk.currentNode.parentNode.tagName != "SCRIPT" && walk.currentNode.data.includes("|"))
    texts.push([walk.currentNode, walk.currentNode.data])
function speak(code) {
  lang = Math.max(0, ["nl", "en", "fr"].indexOf(code))
  document.documentElement.lang = ["nl", "en", "fr"][lang]
  for (const [node, text] of texts) node.data = T(text)
  document.body.hidden = false
}
