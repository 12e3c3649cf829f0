import { byId, clock, element, isScrolledDown } from './dom.js'

/** The messages of the selected conversation. Rows are kept, so that a screen reader hears only what is new. */
export class MessageList {
  #list = byId('messages')
  #rows = new Map()
  #key = ''
  #sendAgain

  /** @param {{ sendAgain: (entry: import('./chat.js').Entry, key: string) => void }} options */
  constructor ({ sendAgain }) {
    this.#sendAgain = sendAgain
  }

  /** @param {{ key: string, group: boolean, id: string, entries: import('./chat.js').Entry[] }} conversation */
  show (conversation, connected) {
    const switched = conversation.key !== this.#key
    const follow = switched || isScrolledDown(this.#list)
    if (switched) {
      this.#key = conversation.key
      this.#rows.clear()
      this.#list.replaceChildren()
    }
    const { entries } = conversation
    for (const [entry, row] of this.#rows) {
      if (entries.includes(entry)) continue
      this.#rows.delete(entry)
      row.remove()
    }
    for (const [index, entry] of entries.entries()) {
      let row = this.#rows.get(entry)
      if (row === undefined) {
        row = this.#makeRow(entry, entries[index - 1], conversation)
        this.#rows.set(entry, row)
        this.#list.append(row)
      }
      if (entry.own) this.#paintState(row, entry, connected)
    }
    this.#showEmpty(conversation)
    if (follow) this.#list.scrollTop = this.#list.scrollHeight
  }

  #makeRow (entry, previous, { group, key }) {
    const row = element('li', `message ${entry.own ? 'own' : 'other'}`)
    row.dataset.msgId = entry.msgId
    row.dataset.from = entry.from
    if (group && !entry.own && previous?.from !== entry.from) row.append(element('span', 'from', entry.from))
    row.append(element('p', 'bubble', entry.text))
    const meta = element('div', 'meta', element('time', '', clock(entry.at)), element('span', 'via', via(entry)))
    if (entry.own) {
      meta.append(element('span', 'ack'))
      if (entry.request !== undefined) {
        const again = element('button', 'link again')
        again.type = 'button'
        again.onclick = () => this.#sendAgain(entry, key)
        meta.append(again)
      }
    }
    row.append(meta)
    return row
  }

  #paintState (row, entry, connected) {
    if (row.dataset.state === entry.state && row.dataset.connected === String(connected)) return
    row.dataset.state = entry.state
    row.dataset.connected = String(connected)
    row.querySelector('.ack').textContent = stateText(entry, connected)
    row.querySelector('.via').textContent = via(entry)
    const again = row.querySelector('.again')
    if (again === null) return
    again.hidden = entry.state === 'pending' || !connected
    again.textContent = entry.state === 'failed' ? 'try again' : 'send again'
    again.title = entry.state === 'failed'
      ? 'The same message once more: a failed one leaves no trace at the gateway'
      : 'The same message with the same id once more: the gateway acks it as a duplicate and delivers nothing'
  }

  #showEmpty ({ entries }) {
    const empty = this.#list.querySelector('.empty')
    if (entries.length > 0) empty?.remove()
    else if (empty === null) {
      this.#list.append(element('li', 'empty',
        'Nothing here since this page was loaded: the gateway keeps no history.'))
    }
  }
}

function via ({ node }) {
  return node === '' ? '' : `via ${node}`
}

function stateText ({ state, detail }, connected) {
  if (state === 'synced') return 'from another of your tabs'
  if (state === 'pending') return connected ? 'pending' : 'pending, goes out when connected'
  const text = state === 'sent' ? '✓ sent' : 'failed'
  const join = state === 'sent' ? ' · ' : ': '
  return detail === '' ? text : `${text}${join}${detail}`
}
