/**
 * What runs inside Redis: the functions by which rows, positions, reservations and links are put and read, each in one atomic
 * step. The library's name carries a hash of its text, so that builds side by side never call each other's functions.
 *
 * A value that is not of the form that we write counts as absent, and is written over or deleted: anyone may have put it there.
 */
import { createHash } from 'node:crypto';

const source = `
-- Strings are compared through numbers or bytes: Lua's own comparison of strings obeys the server's locale.
local MARK = '!generation'
local FILL = '!fill'
local LEAST = '!least'

local function textAt(key)
  local text = redis.pcall('GET', key)
  if type(text) == 'string' then return text, false end
  return nil, type(text) == 'table'
end

-- The form of position-text.ts.
local function parsed(text)
  if not text then return nil end
  local nextOffset, log, generation = string.match(text, '^%d+ (%d+) %d+ (%S+) (%S+) %x+$')
  if not nextOffset then return nil end
  return { text = text, nextOffset = tonumber(nextOffset), log = log, generation = generation }
end

local function positionAt(key)
  return parsed((textAt(key)))
end

local function write(key, text, channel)
  redis.call('SET', key, text)
  redis.call('PUBLISH', channel, text)
end

-- A version above 2^53 is none: such bytes are not ours.
local function isNewer(new, old)
  if not old or #old < 12 then return true end
  local oldHigh, oldLow = struct.unpack('>I4I4', old)
  if oldHigh >= 2097152 then return true end
  local high, low = struct.unpack('>I4I4', new)
  return high > oldHigh or (high == oldHigh and low > oldLow)
end

local function score(key, member)
  local answer = redis.pcall('ZSCORE', key, member)
  if type(answer) ~= 'table' then return answer end
  redis.call('DEL', key)
  return false
end

-- Each sorted set says of itself how whole it is, by a member for the generation: -1 every visited link is in it, less than that
-- the token of whoever is putting all links. A set that was lost has lost that, too.
local function listState(keys, generation)
  local first, second = score(keys[2], '!' .. generation), score(keys[3], '!' .. generation)
  return first and first == second and tonumber(first) or nil
end

local function areListsWhole(keys, generation)
  return listState(keys, generation) == -1
end

local function setListState(keys, generation, state)
  redis.call('ZADD', keys[2], state, '!' .. generation)
  redis.call('ZADD', keys[3], state, '!' .. generation)
end

--[[ put: rows, scores, then the position.
KEYS  position, by visits, by last visit, then a hash for each link
ARGV  1 log  2 generation  3 as of: everything before this offset is in rows that are said to be whole  4 least offset that the
      position must have  5 new position or ''  6 channel  7 id of a fill
      8 for each hash: mode (1 byte), ttl in seconds or 0, number of rows (4 bytes each), rows (each: length, key, length, bytes);
      then the number of scores, scores (each: length, code, length, visits, length, last visit)
      modes: 0 changed rows; 1 all rows; 2 first, 3 next, 4 last part of all rows
Reply {'reset', position or ''}: nothing was written, since the position is missing, behind, of another log or generation
      {'ok', position before, 1 when the lists are whole, {places of hashes that are not complete and were left alone}} ]]
local function put(keys, args)
  local log, generation, channel, fill, body = args[1], args[2], args[6], args[7], args[8]
  local current, asOf = positionAt(keys[1]), tonumber(args[3])
  if not current or current.log ~= log or current.generation ~= generation or current.nextOffset < tonumber(args[4]) then
    return { 'reset', current and current.text or '' }
  end
  local isBehind = current.nextOffset > asOf
  local whole = areListsWhole(keys, generation)
  -- Every link with a row before the position is in the lists. Of one that is not, these are all rows.
  local knowsNew = whole and not isBehind
  local incomplete, at = {}, 1
  for place = 4, #keys do
    local key, mode, ttl, count = keys[place], nil, nil, nil
    mode, ttl, count, at = struct.unpack('>BI4I4', body, at)
    local names, rows = { MARK, FILL, LEAST }, {}
    for row = 1, count do
      names[row + 3], rows[row], at = struct.unpack('>I4c0I4c0', body, at)
    end
    local old = redis.pcall('HMGET', key, unpack(names))
    local isHash = not old.err
    if not isHash then old = {} end
    local isComplete = old[1] == generation
    local writes = {}
    if isComplete then
      for row = 1, count do
        if isNewer(rows[row], old[row + 3]) then
          writes[#writes + 1] = names[row + 3]
          writes[#writes + 1] = rows[row]
        end
      end
    else
      -- Changes were told that found the hash incomplete: all rows must be of later than that.
      local of, least = string.match(old[3] or '', '^(%S+) (%d+)$')
      local isStale = of == generation and tonumber(least) > asOf
      local begins = (mode == 1 or mode == 2) and not isBehind and not isStale
      if mode == 0 and knowsNew and not score(keys[2], string.match(key, '[^:]*$')) then begins = true end
      local goesOn = (mode == 3 or mode == 4) and old[2] == fill and not isStale
      if begins or goesOn then
        if begins then redis.call('DEL', key) end
        for row = 1, count do
          writes[#writes + 1] = names[row + 3]
          writes[#writes + 1] = rows[row]
        end
        if mode == 2 then
          writes[#writes + 1] = FILL
          writes[#writes + 1] = fill
        elseif mode ~= 3 then
          writes[#writes + 1] = MARK
          writes[#writes + 1] = generation
        end
        if mode == 4 then redis.call('HDEL', key, FILL) end
      else
        if not isHash then redis.call('DEL', key) end
        if mode == 0 and not isStale then
          redis.call('HSET', key, LEAST, generation .. ' ' .. args[3])
          redis.call('EXPIRE', key, ttl)
        end
        incomplete[#incomplete + 1] = place - 4
      end
    end
    if #writes > 0 then redis.call('HSET', key, unpack(writes)) end
    if ttl > 0 and (isComplete or #writes > 0) then redis.call('EXPIRE', key, ttl) end
  end
  local scores
  scores, at = struct.unpack('>I4', body, at)
  if scores > 0 then
    local visits, lastVisits = {}, {}
    for i = 1, scores do
      local code, visited, lastVisitAt
      code, visited, lastVisitAt, at = struct.unpack('>I4c0I4c0I4c0', body, at)
      visits[i * 2 - 1], visits[i * 2] = visited, code
      lastVisits[i * 2 - 1], lastVisits[i * 2] = lastVisitAt, code
    end
    redis.call('ZADD', keys[2], 'GT', unpack(visits))
    redis.call('ZADD', keys[3], 'GT', unpack(lastVisits))
  end
  local new = parsed(args[5])
  if new and new.nextOffset > current.nextOffset then write(keys[1], new.text, channel) end
  return { 'ok', current.text, whole and 1 or 0, incomplete }
end

--[[ open: begins a generation, in which nothing is complete yet.
KEYS  position, by visits, by last visit
ARGV  1 log  2 new position  3 channel
Reply {'opened'}, or {'kept', position}: one of this log that is as far or further is there ]]
local function open(keys, args)
  local current, new = positionAt(keys[1]), parsed(args[2])
  if current and current.log == args[1] and current.nextOffset >= new.nextOffset then return { 'kept', current.text } end
  redis.call('DEL', keys[2], keys[3])
  write(keys[1], new.text, args[3])
  return { 'opened' }
end

--[[ begin_lists: all links are being put into the sorted sets.
KEYS  position, by visits, by last visit
ARGV  1 log  2 generation  3 token, below -1  4 as of: links visited before this offset are put from now on, and those visited later
Reply 1, or 0 when the generation is another or the position further ]]
local function beginLists(keys, args)
  local current = positionAt(keys[1])
  if not current or current.log ~= args[1] or current.generation ~= args[2] then return 0 end
  if current.nextOffset > tonumber(args[4]) then return 0 end
  setListState(keys, args[2], args[3])
  return 1
end

--[[ end_lists: all links have been put, and the sorted sets are the same as when that began.
KEYS  position, by visits, by last visit
ARGV  1 log  2 generation  3 token
Reply 1, or 0 when one was lost in between, or the generation is another ]]
local function endLists(keys, args)
  local current = positionAt(keys[1])
  if not current or current.log ~= args[1] or current.generation ~= args[2] then return 0 end
  if listState(keys, args[2]) ~= tonumber(args[3]) then return 0 end
  setListState(keys, args[2], -1)
  return 1
end

local function position(keys)
  return (textAt(keys[1])) or ''
end

local function isWithin(key, lower, withLower, upper)
  local function compare(a, b)
    for i = 1, math.min(#a, #b) do
      local difference = string.byte(a, i) - string.byte(b, i)
      if difference ~= 0 then return difference end
    end
    return #a - #b
  end
  local difference = compare(key, lower)
  return (difference > 0 or (withLower and difference == 0)) and compare(key, upper) < 0
end

--[[ read: rows of links, all at one position.
KEYS  position, by visits, by last visit, then a hash for each link
ARGV  1 log  2 most rows of the range  3 '1': the range has its lower end  4 lower end  5 upper end (exclusive), or '' for no range
      then for each link: number of row keys, row keys
Reply {position or '', for each link: 0 when it is not complete here, else its rows in the order asked for, ...,
      rows of the range of the first link as key, value, ..., or 0 when there are too many} ]]
local function read(keys, args)
  local current = positionAt(keys[1])
  if not current or current.log ~= args[1] then return { current and current.text or '' } end
  local reply, at, whole = { current.text }, 6, nil
  for place = 4, #keys do
    local names = { MARK }
    for i = 1, tonumber(args[at]) do names[i + 1] = args[at + i] end
    at = at + #names
    local rows = redis.pcall('HMGET', keys[place], unpack(names))
    if not rows.err and rows[1] == current.generation then
      table.remove(rows, 1)
      reply[#reply + 1] = rows
    elseif not rows.err and not rows[1] then
      -- Every link with a row is in the lists: one that is in none has no row.
      if whole == nil then whole = areListsWhole(keys, current.generation) end
      local isUnvisited = whole and not score(keys[2], string.match(keys[place], '[^:]*$'))
      local none = {}
      for i = 1, #names - 1 do none[i] = false end
      reply[#reply + 1] = isUnvisited and none or 0
    else
      reply[#reply + 1] = 0
    end
  end
  if args[5] ~= '' then
    local found, wanted = {}, {}
    if reply[2] ~= 0 then
      for _, name in ipairs(redis.call('HKEYS', keys[4])) do
        if string.byte(name) ~= 33 and isWithin(name, args[4], args[3] == '1', args[5]) then wanted[#wanted + 1] = name end
      end
      if #wanted > tonumber(args[2]) then
        found = 0
      elseif #wanted > 0 then
        local values = redis.call('HMGET', keys[4], unpack(wanted))
        for i = 1, #wanted do
          found[i * 2 - 1], found[i * 2] = wanted[i], values[i]
        end
      end
    end
    reply[#reply + 1] = found
  end
  return reply
end

--[[ highest: the first of a list.
KEYS  position, by visits, by last visit, one of these two again
ARGV  1 log  2 how many
Reply {position or ''} when the lists are not whole, else {position, 1, code, score, ...}, highest first ]]
local function highest(keys, args)
  local current = positionAt(keys[1])
  if not current or current.log ~= args[1] or not areListsWhole(keys, current.generation) then
    return { current and current.text or '' }
  end
  return {
    current.text, 1,
    unpack(redis.call('ZRANGE', keys[4], '+inf', '0', 'BYSCORE', 'REV', 'LIMIT', '0', args[2], 'WITHSCORES')),
  }
end

-- forget: KEYS what was found to be damaged.
local function forget(keys)
  return redis.call('DEL', unpack(keys))
end

-- Reservations: '<generation> <seed> <human visits used or ?>'; of another generation they are void.
local function reservations(key, generation)
  local owner, seed, used = string.match((textAt(key)) or '', '^(%S+) (%S+) (%S+)$')
  if owner ~= generation or not (used == '?' or string.match(used, '^%d+$')) then return nil end
  return seed, tonumber(used)
end

--[[ take: reserves a human visit of a limited link, or looks whether one is left.
KEYS  position, reservations
ARGV  1 log  2 visits allowed  3 id for a new seed  4 how long a seed may be awaited, ms  5 how long reservations are kept, s  6 '1' to reserve
Reply {'taken', seed} {'left'} {'used-up', used} {'learn', seed}: the number must be learnt first
      {'adrift'}: the partition has no position, so nobody knows what was lost ]]
local function take(keys, args)
  local current = positionAt(keys[1])
  if not current or current.log ~= args[1] then return { 'adrift' } end
  local seed, used = reservations(keys[2], current.generation)
  if not seed then
    seed = args[3]
    redis.call('SET', keys[2], current.generation .. ' ' .. seed .. ' ?', 'PX', args[4])
  end
  if not used then return { 'learn', seed } end
  if used >= tonumber(args[2]) then return { 'used-up', used } end
  if args[6] ~= '1' then return { 'left' } end
  redis.call('SET', keys[2], string.format('%s %s %.0f', current.generation, seed, used + 1), 'EX', args[5])
  return { 'taken', seed }
end

--[[ seed: tells the number learnt since the seed was asked for; the first to tell it is believed.
KEYS  position, reservations
ARGV  1 log  2 seed  3 human visits used  4 how long reservations are kept, s
Reply 1, or 0 when the seed is another by now, or has its number ]]
local function seed(keys, args)
  local current = positionAt(keys[1])
  if not current or current.log ~= args[1] then return 0 end
  local asked, used = reservations(keys[2], current.generation)
  if asked ~= args[2] or used then return 0 end
  redis.call('SET', keys[2], current.generation .. ' ' .. asked .. ' ' .. args[3], 'EX', args[4])
  return 1
end

--[[ give_back: a reserved visit was not made.
KEYS  position, reservations
ARGV  1 log  2 seed under which it was taken: of another nothing is known any more
Reply 1 or 0 ]]
local function giveBack(keys, args)
  local current = positionAt(keys[1])
  if not current or current.log ~= args[1] then return 0 end
  local owner, used = reservations(keys[2], current.generation)
  if owner ~= args[2] or not used or used < 1 then return 0 end
  redis.call('SET', keys[2], string.format('%s %s %.0f', current.generation, owner, used - 1), 'KEEPTTL')
  return 1
end

local function linksAt(key)
  local state = redis.pcall('HMGET', key, 'log', 'generation', 'puts')
  if state.err then redis.call('DEL', key) end
  if state.err or not state[2] or not state[3] or not string.match(state[3], '^%d+$') then return nil end
  local number = tonumber(string.match(state[2], '^(%d+)-'))
  return { log = state[1], generation = state[2], number = number or 0, puts = tonumber(state[3]) }
end

--[[ put_links: links with their versions; tells the newer ones on the channel.
KEYS  links, then a text for each link
ARGV  1 log  2 id for a new generation  3 number of the generation seen last  4 puts seen done in it: a Redis that stands before
      that was rolled back, and what it holds is void  5 '1' to void what it holds  6 channel  7 ttl in seconds
      then for each link: version, checksum and JSON, message
Reply {number of the generation, puts} ]]
local function putLinks(keys, args)
  local state, number, puts = linksAt(keys[1]), tonumber(args[3]), tonumber(args[4])
  local isOurs = state and state.log == args[1]
  local isOld = isOurs and (state.number < number or (state.number == number and state.puts < puts))
  if not isOurs or isOld or args[5] == '1' then
    number = math.max(number, isOurs and state.number or 0) + 1
    state = { generation = string.format('%.0f-%s', number, args[2]), number = number }
    redis.call('HSET', keys[1], 'log', args[1], 'generation', state.generation, 'puts', 0)
  end
  for place = 2, #keys do
    local at = 8 + (place - 2) * 3
    local generation, version = string.match((textAt(keys[place])) or '', '^(%S+) (%d+) ')
    if generation ~= state.generation or tonumber(version) < tonumber(args[at]) then
      redis.call('SET', keys[place], state.generation .. ' ' .. args[at] .. ' ' .. args[at + 1], 'EX', args[7])
      redis.call('PUBLISH', args[6], args[at + 2])
    end
  end
  return { state.number, redis.call('HINCRBY', keys[1], 'puts', 1) }
end

--[[ find_link
KEYS  links, link
ARGV  1 log
Reply '<generation> <version> <checksum> <JSON>' or '' ]]
local function findLink(keys, args)
  local state = redis.pcall('HMGET', keys[1], 'log', 'generation')
  if state.err or state[1] ~= args[1] then return '' end
  local text = (textAt(keys[2])) or ''
  return string.match(text, '^%S+') == state[2] and text or ''
end

--[[ agree_on_salt
KEYS  salt
ARGV  1 offered 2 seconds that it is kept
Reply the salt that holds: the first that was offered ]]
local function agreeOnSalt(keys, args)
  local text, isOther = textAt(keys[1])
  if text then return text end
  if isOther then redis.call('DEL', keys[1]) end
  redis.call('SET', keys[1], args[1], 'EX', args[2])
  return args[1]
end
`;

/** The functions by the names under which they are called. */
const functions = {
  put: 'put',
  open: 'open',
  begin_lists: 'beginLists',
  end_lists: 'endLists',
  position: 'position',
  read: 'read',
  highest: 'highest',
  forget: 'forget',
  take: 'take',
  seed: 'seed',
  give_back: 'giveBack',
  put_links: 'putLinks',
  find_link: 'findLink',
  agree_on_salt: 'agreeOnSalt',
} as const;

export type RedisFunction = keyof typeof functions;

const hash = createHash('sha256').update(source).digest('hex').slice(0, 12);

/** The library's text for `FUNCTION LOAD`. */
export const functionLibrary = [
  `#!lua name=tallyhop_${hash}`,
  source,
  ...Object.entries(functions).map(([name, lua]) => `redis.register_function('${nameInRedis(name)}', ${lua})`),
].join('\n');

/** What a function is called in `FCALL`. */
export function nameInRedis(name: string): string {
  return `tallyhop_${hash}_${name}`;
}
