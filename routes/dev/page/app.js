import { Chat } from './chat.js'
import { Connection } from './connection.js'
import { byId, element, paintAvatar } from './dom.js'
import { FrameLog } from './frame-log.js'
import { deviceId, forgetName, isName, rememberName, rememberedName } from './identity.js'
import { MessageList } from './message-list.js'
import { Nodes } from './nodes.js'

const contacts = ['alice', 'bob', 'carol']
const groups = { lobby: 'alice, bob, carol and everybody who signed in', team: 'alice, bob and carol' }

/** The timer that counts the seconds to the next attempt down. */
let countdown

const nodes = await Nodes.load()
const query = new URLSearchParams(location.search)
const name = rememberedName(query)
if (name === '') signIn()
else chatAs(name, query.get('to') ?? '')

function signIn () {
  byId('sign-in').hidden = false
  const input = byId('name')
  input.focus()
  const join = chosen => {
    if (!isName(chosen)) return
    byId('sign-in').hidden = true
    chatAs(chosen, '')
  }
  byId('sign-in-form').onsubmit = event => {
    event.preventDefault()
    join(input.value)
  }
  for (const button of document.querySelectorAll('[data-name]')) button.onclick = () => join(button.dataset.name)
}

function chatAs (me, to) {
  rememberName(me)
  // A reload keeps the person through sessionStorage; the query would stand in the way of being somebody else.
  history.replaceState(null, '', location.pathname)

  const app = byId('app')
  const frameLog = new FrameLog()
  const connection = new Connection({
    userId: me,
    deviceId: deviceId(),
    nodes,
    onTraffic: entry => frameLog.add(entry),
    onState: state => {
      showState(state)
      showNode()
      render()
    },
    onMessage: message => chat.receive(message),
  })
  const chat = new Chat({
    userId: me,
    send: message => connection.send(message),
    node: () => connection.node,
    changed: () => render(),
  })
  const messageList = new MessageList({ sendAgain: (entry, key) => chat.sendAgain(entry, key) })

  for (const group of Object.keys(groups)) chat.conversation(true, group)
  for (const person of contacts) if (person !== me) chat.conversation(false, person)

  function open (group, id) {
    const { key } = chat.conversation(group, id)
    chat.select(key)
    app.dataset.view = 'chat'
    render()
  }

  function render () {
    if (chat.selected === '') return
    const conversation = chat.conversations.get(chat.selected)
    renderConversations(chat, open)
    byId('chat-title').textContent = conversation.id
    byId('chat-subtitle').textContent = conversation.group
      ? groups[conversation.id] ?? 'a group'
      : conversation.id === me ? 'your own other tabs' : 'one to one'
    paintAvatar(byId('chat-avatar'), conversation.id, conversation.group)
    messageList.show(conversation, connection.isConnected)
    showOutbox(connection.isConnected ? 0 : chat.waiting)
    const here = conversation.group ? '' : conversation.id
    linkTo(byId('open-same'), me, here, `Another tab as ${me} ↗`)
    for (const tab of document.querySelectorAll('.tabs [data-view]')) {
      tab.ariaCurrent = tab.dataset.view === app.dataset.view ? 'page' : 'false'
    }
    const unread = [...chat.conversations.values()].reduce((sum, one) => sum + one.unread, 0)
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${me} · MICS demo`
    byId('tab-unread').hidden = unread === 0
    byId('tab-unread').textContent = String(unread)
  }

  byId('my-name').textContent = me
  byId('my-device').textContent = deviceId()
  paintAvatar(byId('my-avatar'), me)
  const other = me === 'bob' ? 'alice' : 'bob'
  linkTo(byId('open-other'), other, me, `Open a second tab as ${other} ↗`)

  for (const { nodeId } of nodes.all) {
    byId('node-buttons').append(nodeButton(nodeId, () => {
      connection.moveTo(nodeId)
      chat.sendHeld()
    }))
  }
  byId('nodes').hidden = byId('nodes-tip').hidden = nodes.all.length === 0

  wireComposer(chat)
  byId('to-form').onsubmit = event => {
    event.preventDefault()
    const id = byId('to').value
    if (!isName(id)) return
    byId('to').value = ''
    open(false, id)
  }
  byId('toggle-online').onclick = () => {
    if (!connection.isAway) {
      connection.close()
      return
    }
    connection.open()
    chat.sendHeld()
  }
  byId('retry-now').onclick = () => connection.open()
  byId('sign-out').onclick = () => {
    connection.close()
    forgetName()
    location.reload()
  }
  byId('toggle-frames').onclick = ({ target }) => {
    const shown = app.classList.toggle('frames-hidden') === false
    target.ariaPressed = String(shown)
  }
  byId('back').onclick = () => { app.dataset.view = 'list'; render() }
  for (const tab of document.querySelectorAll('.tabs [data-view]')) {
    tab.onclick = () => { app.dataset.view = tab.dataset.view; render() }
  }

  app.hidden = false
  if (isName(to)) open(false, to)
  else {
    chat.select('group:lobby')
    render()
  }
  connection.open()
}

function nodeButton (nodeId, onclick) {
  const button = element('button', '', nodeId.replace('node-', ''))
  button.type = 'button'
  button.ariaLabel = nodeId
  button.dataset.node = nodeId
  button.title = `Connect to ${nodeId}`
  button.onclick = onclick
  return button
}

/** The one connected to, or else the next to be tried. */
function showNode () {
  for (const button of byId('node-buttons').children) button.ariaCurrent = String(button.dataset.node === nodes.current)
}

/** What was written and waits for a connection, in whichever conversation. */
function showOutbox (waiting) {
  byId('outbox').hidden = waiting === 0
  byId('outbox').textContent = waiting === 1
    ? '1 message waits in the outbox and goes out when connected'
    : `${waiting} messages wait in the outbox and go out in order when connected`
}

function linkTo (link, user, to, text) {
  link.href = `${location.pathname}?${new URLSearchParams({ user, to })}`
  link.textContent = text
}

function wireComposer (chat) {
  const text = byId('text')
  const fit = () => {
    text.style.height = 'auto'
    text.style.height = `${Math.min(text.scrollHeight, 160)}px`
  }
  const send = () => {
    const written = text.value.trim()
    if (written === '' || !chat.write(written)) return
    text.value = ''
    fit()
  }
  text.oninput = fit
  text.onkeydown = event => {
    // While an input method composes a word, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    send()
  }
  byId('composer').onsubmit = event => {
    event.preventDefault()
    send()
    text.focus()
  }
}

function renderConversations (chat, open) {
  for (const { key, group, id, unread, entries } of chat.conversations.values()) {
    const list = byId(group ? 'groups' : 'people')
    let item = list.querySelector(`[data-key="${key}"]`)
    if (item === null) {
      const button = element('button', '',
        element('span', 'avatar'),
        element('span', 'conversation-text', element('strong', '', id), element('span', 'preview muted')),
        element('span', 'badge'))
      button.type = 'button'
      button.onclick = () => open(group, id)
      paintAvatar(button.firstChild, id, group)
      item = element('li', '', button)
      item.dataset.key = key
      item.dataset.testid = `conversation-${id}`
      list.append(item)
    }
    const last = entries.at(-1)
    const preview = item.querySelector('.preview')
    preview.classList.toggle('members', group && last === undefined)
    preview.textContent = last === undefined
      ? (group ? groups[id] ?? '' : 'no new messages')
      : `${last.own ? 'you: ' : group ? `${last.from}: ` : ''}${last.text}`
    const badge = item.querySelector('.badge')
    badge.hidden = unread === 0
    badge.textContent = String(unread)
    badge.ariaLabel = `${unread} unread`
    item.firstChild.ariaCurrent = String(key === chat.selected)
  }
  for (const item of document.querySelectorAll('.conversations [data-key]')) {
    if (!chat.conversations.has(item.dataset.key)) item.remove()
  }
}

function showState (state) {
  clearInterval(countdown)
  byId('connection').dataset.state = state.name
  byId('conn-state').textContent = {
    offline: 'offline',
    connecting: 'connecting…',
    connected: 'connected',
    waiting: 'reconnecting',
    closed: `closed ${state.code}`,
  }[state.name]
  byId('conn-detail').textContent = {
    offline: 'because you went offline',
    connecting: '',
    connected: `node ${state.nodeId} · trace ${state.traceId}`,
    waiting: `${state.code}: ${state.reason}`,
    closed: state.reason,
  }[state.name]
  byId('conn-detail').title = byId('conn-detail').textContent
  byId('conn-countdown').textContent = ''
  byId('retry-now').hidden = state.name !== 'waiting'
  byId('toggle-online').textContent = ['offline', 'closed'].includes(state.name) ? 'Go online' : 'Go offline'
  if (state.name !== 'waiting') return
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000))
    byId('conn-countdown').textContent = `in ${seconds} s`
  }
  tick()
  countdown = setInterval(tick, 250)
}
