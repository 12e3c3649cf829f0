/** Bytes of a message's text. */
const MAX_BODY_BYTES = 4000

/** The tenant's answers. The gateway waits 150 ms for each, so they do nothing but look into the store. */
export function hooks (store) {
  return {
    authenticate ({ token }) {
      const userId = store.userOfToken(token)
      // The app reads the reason in the close event (4001).
      if (userId === undefined) return { ok: false, reason: 'unknown token: sign in again' }
      return {
        ok: true,
        userId,
        // The same for every connection.
        config: {
          // Messages for absent users come to us as events, and are asked for below.
          offlineUseHookPull: true,
          // Who may write where is decided here. If we cannot be asked, nobody may.
          checkMessageFailClosed: true,
        },
      }
    },

    checkMessage ({ message }) {
      if (message.body.length > MAX_BODY_BYTES) {
        return { allow: false, reason: `too long: ${MAX_BODY_BYTES} bytes at most` }
      }
      if (message.type === 'GROUP_CHAT') {
        return store.isMember(message.groupId, message.userId)
          ? { allow: true }
          : { allow: false, reason: 'only members may write to this group' }
      }
      return store.hasUser(message.toUserId)
        ? { allow: true }
        : { allow: false, reason: 'there is no such user' }
    },

    getGroupMembers ({ groupId }) {
      return store.members(groupId)
    },

    /** The cursor is the position of the last message of the page before. */
    getOfflineMessages ({ userId, maxMessages, cursor }) {
      // One more than fits tells whether there is another page.
      const rows = store.keptMessages(userId, Number(cursor), maxMessages + 1)
      const page = rows.slice(0, maxMessages)
      return {
        messages: page.map(row => row.bytes),
        nextCursor: rows.length > page.length ? String(page.at(-1).position) : undefined,
      }
    },
  }
}
