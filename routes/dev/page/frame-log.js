import { byId, clock, element, isScrolledDown } from './dom.js'

const maxRows = 200
const maxBodyChars = 160
const arrows = { in: '↓ in', out: '↑ out', note: '· ws' }

/** The panel in which every frame goes by. */
export class FrameLog {
  #list = byId('frame-log')

  constructor () {
    byId('clear-frames').onclick = () => this.#list.replaceChildren()
    byId('show-heartbeats').onchange = ({ target }) => {
      this.#list.classList.toggle('no-heartbeats', !target.checked)
    }
  }

  /**
   * One row, at the end.
   *
   * @param {{ direction: 'in' | 'out' | 'note', frame?: { case: string, value: object }, text?: string,
   *   size?: number, node: string }} entry node: the one at the other end; empty where there is only one
   */
  add ({ direction, frame, text, size, node }) {
    const follow = isScrolledDown(this.#list)
    const kind = frame === undefined ? '' : snakeCase(frame.case)
    const row = element('li', `frame ${direction}`,
      element('div', 'frame-head',
        element('span', 'direction', arrows[direction]),
        element('strong', '', kind || (direction === 'note' ? '' : 'unknown frame')),
        element('span', 'size', size === undefined ? '' : `${size} B`),
        element('span', 'node', node),
        element('time', '', clock(Date.now(), true))),
      element('code', '', frame === undefined ? text ?? '' : describe(frame.value)))
    row.classList.toggle('heartbeat', kind.startsWith('heartbeat'))
    this.#list.append(row)
    if (this.#list.childElementCount > maxRows) this.#list.firstElementChild.remove()
    if (follow) this.#list.scrollTop = this.#list.scrollHeight
  }
}

/** As in Protocol Buffers' text format, and like on the wire without the fields that are at their default. */
function describe (message) {
  const parts = []
  for (const [name, value] of Object.entries(message)) {
    if (name === 'msgType') parts.push(`msg_type: ${['SINGLE_CHAT', 'GROUP_CHAT'][value] ?? value}`)
    else if (name === 'status') parts.push(`status: ${['SENT', 'FAILED'][value] ?? value}`)
    else if (value instanceof Uint8Array) {
      if (value.length > 0) parts.push(`${snakeCase(name)}: ${quote(new TextDecoder().decode(value))}`)
    } else if (typeof value === 'object') parts.push(`${snakeCase(name)} { ${describe(value)} }`)
    else if (typeof value === 'string') {
      if (value !== '') parts.push(`${snakeCase(name)}: ${quote(value)}`)
    } else if (value) parts.push(`${snakeCase(name)}: ${value}`)
  }
  return parts.join('  ')
}

function quote (text) {
  return JSON.stringify(text.length > maxBodyChars ? `${text.slice(0, maxBodyChars)}…` : text)
}

function snakeCase (name) {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
