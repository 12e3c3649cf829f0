import { createHash, randomBytes } from 'node:crypto'
import sqlite from 'node-sqlite3-wasm'

/** Messages kept for one user. The gateway pulls 1,000 at most for a connection: 10 pages of 100. */
const MAX_MESSAGES_PER_USER = 1000

const schema = `
  CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE
  );
  CREATE TABLE IF NOT EXISTS members (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (group_id, user_id)
  );
  CREATE TABLE IF NOT EXISTS offline_messages (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    sender_device_id TEXT NOT NULL,
    msg_id TEXT NOT NULL,
    bytes BLOB NOT NULL,
    stored_at INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS offline_messages_of_user ON offline_messages (user_id, position);
  CREATE INDEX IF NOT EXISTS offline_messages_by_age ON offline_messages (stored_at);
`

/** Users, groups, and messages for users who were offline. All of it is in one SQLite file. */
export class Store {
  #db

  constructor (file) {
    this.#db = new sqlite.Database(file)
    this.#db.exec(schema)
  }

  /** Returns the user's token, or undefined where there is such a user already. */
  createUser (userId) {
    const token = randomBytes(32).toString('base64url')
    const { changes } = this.#db.run('INSERT OR IGNORE INTO users (id, token_hash) VALUES (?, ?)', [userId, hash(token)])
    return changes === 1 ? token : undefined
  }

  hasUser (userId) {
    return this.#db.get('SELECT 1 FROM users WHERE id = ?', [userId]) !== null
  }

  /** Whose token it is; undefined where it is nobody's. */
  userOfToken (token) {
    return this.#db.get('SELECT id FROM users WHERE token_hash = ?', [hash(token)])?.id
  }

  /** Creates the group, or gives it other members. */
  setMembers (groupId, userIds) {
    this.#transaction(() => {
      this.#db.run('DELETE FROM members WHERE group_id = ?', [groupId])
      for (const userId of userIds) this.#db.run('INSERT OR IGNORE INTO members VALUES (?, ?)', [groupId, userId])
    })
  }

  members (groupId) {
    return this.#db.all('SELECT user_id FROM members WHERE group_id = ?', [groupId]).map(row => row.user_id)
  }

  isMember (groupId, userId) {
    return this.#db.get('SELECT 1 FROM members WHERE group_id = ? AND user_id = ?', [groupId, userId]) !== null
  }

  /**
   * Keeps a message for a user. One that comes again, which `identity` tells, is kept once. Returns how many older
   * messages of the user had to go for it.
   */
  keep ({ identity, userId, message, bytes, now = Date.now() }) {
    return this.#transaction(() => {
      this.#db.run(
        `INSERT OR IGNORE INTO offline_messages
           (identity, user_id, sender_id, sender_device_id, msg_id, bytes, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
        [identity, userId, message.userId, message.deviceId, message.msgId, bytes, now])
      const { changes } = this.#db.run(
        `DELETE FROM offline_messages WHERE user_id = ? AND position <= (
           SELECT position FROM offline_messages WHERE user_id = ? ORDER BY position DESC LIMIT 1 OFFSET ?)`,
        [userId, userId, MAX_MESSAGES_PER_USER])
      return changes
    })
  }

  /** A page of what is kept for a user, oldest first, from behind `position` (0: from the beginning). */
  keptMessages (userId, position, limit) {
    return this.#db.all(
      'SELECT position, bytes FROM offline_messages WHERE user_id = ? AND position > ? ORDER BY position LIMIT ?',
      [userId, position, limit])
  }

  /** Deletes what the user's app says it has. Returns how many there were. */
  deleteKept (userId, received) {
    return this.#transaction(() => received.reduce((sum, message) => sum + this.#db.run(
      'DELETE FROM offline_messages WHERE user_id = ? AND sender_id = ? AND sender_device_id = ? AND msg_id = ?',
      [userId, message.userId, message.deviceId, message.msgId]).changes, 0))
  }

  /** Deletes what was kept before this moment (Unix milliseconds). Returns how many there were. */
  deleteKeptBefore (moment) {
    return this.#db.run('DELETE FROM offline_messages WHERE stored_at < ?', [moment]).changes
  }

  close () {
    this.#db.close()
  }

  #transaction (work) {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

/** A token is random and long, so a plain hash is enough: who reads the file cannot sign in with what is there. */
function hash (token) {
  return createHash('sha256').update(token).digest('base64url')
}
