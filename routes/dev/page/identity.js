// Who this tab is: a name and a device id in sessionStorage, so that every tab is a person of its own and stays that
// person when it is reloaded.

const validName = /^[A-Za-z0-9_.@-]{1,64}$/

/** `?user=` names who this tab shall be; it wins over what the tab remembers. */
export function rememberedName (query) {
  const name = query.get('user') ?? sessionStorage.getItem('mics.name') ?? ''
  return validName.test(name) ? name : ''
}

export function rememberName (name) {
  sessionStorage.setItem('mics.name', name)
}

export function forgetName () {
  sessionStorage.removeItem('mics.name')
}

export function isName (name) {
  return validName.test(name)
}

/** One a tab: a second tab of the same person is a second device. */
export function deviceId () {
  const known = sessionStorage.getItem('mics.device')
  if (known !== null) return known
  const made = `web-${randomId(4)}`
  sessionStorage.setItem('mics.device', made)
  return made
}

/** Hex of so many random bytes. Not crypto.randomUUID: that one is missing on http:// pages of other hosts. */
export function randomId (bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), byte => byte.toString(16).padStart(2, '0')).join('')
}
