-- RCT Tools: Wireshark dissector for the serial protocol of RCT Power inverters
--
-- SPDX-License-Identifier: GPL-3.0-only
--
-- Runs on Lua 5.2 (Wireshark up to 4.2) and on 5.4. `rct wireshark install` puts it where Wireshark looks for it.
--
-- It finds what FrameParser of RCT Tools finds, by the rules of docs/protocol.md, finding frames. Nothing is remembered
-- from one segment to the next: what cannot be told yet is left to Wireshark, which brings it again in front of the
-- next segment. So a frame, or a bad one, is told in the packet that shows what it is.

local START, ESCAPE = 0x2B, 0x2D
local EXTENSION = "\x2b\x3c\xe1"
local COMMANDS = {
    [0x01] = "READ", [0x41] = "PLANT_READ",
    [0x02] = "WRITE", [0x42] = "PLANT_WRITE",
    [0x03] = "LONG_WRITE", [0x43] = "PLANT_LONG_WRITE",
    [0x05] = "RESPONSE", [0x45] = "PLANT_RESPONSE",
    [0x06] = "LONG_RESPONSE", [0x46] = "PLANT_LONG_RESPONSE",
    [0x08] = "READ_PERIODICALLY", [0x48] = "PLANT_READ_PERIODICALLY",
}
local OBJECTS, EVENTS -- the tables at the end of this file

-- Checksum -----------------------------------------------------------------------------------------------------------

local POLYNOMIAL, SEED = 0x11021, 0xFFFF

-- Lua 5.2 has a library for this and no operator, 5.4 has the operator and no library.
local xor = bit32 and bit32.bxor or load("return function(a, b) return a ~ b end")()

local SHIFTED = {} -- by byte: what it adds to the register when it is shifted out of it
for byte = 0, 255 do
    local register = byte * 256
    for _ = 1, 8 do
        register = register * 2
        if register > 0xFFFF then register = xor(register, POLYNOMIAL) end
    end
    SHIFTED[byte] = register
end

-- Return the register after one byte more.
local function shift(register, byte)
    local low = register % 256
    return xor(low * 256, SHIFTED[xor((register - low) / 256, byte)])
end

-- Return the product of two registers as polynomials.
local function multiply(a, b)
    local product = 0
    while b > 0 do
        if b % 2 == 1 then product = xor(product, a) end
        b = math.floor(b / 2)
        a = a * 2
        if a > 0xFFFF then a = xor(a, POLYNOMIAL) end
    end
    return product
end

local POWERS = { shift(1, 0) } -- what a register that held 1 holds after 1, 2, 4, 8 … zero bytes
for number = 2, 17 do
    POWERS[number] = multiply(POWERS[number - 1], POWERS[number - 1])
end

-- Return what the register holds after so many zero bytes.
local function shift_zeros(register, count)
    local number = 1
    while count > 0 do
        if count % 2 == 1 then register = multiply(register, POWERS[number]) end
        count = math.floor(count / 2)
        number = number + 1
    end
    return register
end

-- Return a function that gives the checksum of image[first..last], and whether it stands behind that.
--
-- Thousands of candidates may overlap. A checksum is linear, so that over any span follows from the registers of one
-- pass over the whole image, at the two ends of the span: the work grows with the bytes only.
local function checksums(image)
    local registers, known = { [0] = 0 }, 0
    return function(first, last)
        for place = known + 1, last do
            registers[place] = shift(registers[place - 1], image:byte(place))
        end
        known = math.max(known, last)
        local count = last + 1 - first
        local sum = xor(registers[last], shift_zeros(xor(registers[first - 1], SEED), count))
        if count % 2 == 1 then sum = shift(sum, 0) end
        local high, low = image:byte(last + 1, last + 2)
        return sum, low and high * 256 + low == sum
    end
end

-- Finding frames -----------------------------------------------------------------------------------------------------

-- Return where a run ends that goes on at a place: at an unescaped start, at an escape that escapes nothing or is the
-- last byte, or behind the data.
local function run_end(data, place)
    while true do
        place = data:find("[+-]", place) or #data + 1
        if data:byte(place) ~= ESCAPE or not data:find("^[+-]", place + 1) then return place end
        place = place + 2
    end
end

-- Return the bytes that a run stands for, and the places in them that had an escape before them.
local function unescape(run)
    local marks = {}
    local image = run:gsub("()%-([+-])", function(place, byte)
        marks[#marks + 1] = place - #marks
        return byte
    end)
    return image, marks
end

-- Return how many of the marks are not behind a place.
local function count_marks(marks, place)
    local low, high = 0, #marks
    while low < high do
        local middle = math.ceil((low + high) / 2)
        if marks[middle] <= place then low = middle else high = middle - 1 end
    end
    return low
end

-- Return the last place of the frame that begins at a place, by its length, and nothing while its head is not whole; or
-- nil, why it is none, and how many bytes show that.
local function measure(image, start)
    local command, high, low = image:byte(start + 1, start + 3)
    if not command then return nil end
    local name = COMMANDS[command]
    if not name then return nil, "command", 2 end
    local is_long = name:find("LONG")
    local length = high
    if is_long then length = low and high * 256 + low end
    if not length then return nil end
    local head = is_long and 4 or 3
    if length < (name:find("PLANT") and 8 or 4) then return nil, "length", head end
    return start + head + length + 1
end

-- Return the right frames in the image of a run, each with its first and last place; up to where that is known; and
-- why the head of the run is none, with how many bytes show that. "cut" stands for what the end of the run means.
-- Return nothing while the head of an open run, which goes on behind the data, is not whole.
local function look(image, marks, headed, open)
    local checksum = checksums(image)
    local frames, done = {}, 0
    local function take(start, last)
        local _, is_right = checksum(start + 1, last - 2)
        if is_right then
            frames[#frames + 1] = { first = start, last = last }
            done = last
        end
        return is_right
    end
    local last, why, shown
    if headed then
        last, why, shown = measure(image, 1)
        if last and last <= #image then
            if not take(1, last) then why, shown = "crc", last end
        elseif not why then
            if open then return nil end
            why, shown = "cut", #image
        end
    end
    -- A stray escape may stand before an intact frame: try each start that looked escaped.
    for _, start in ipairs(marks) do
        if start > done and image:byte(start) == START then
            local no_frame
            last, no_frame = measure(image, start)
            if last and last <= #image then
                take(start, last)
            elseif open and not no_frame then
                return frames, start - 1, why, shown
            end
        end
    end
    return frames, #image, why, shown
end

-- Return the parts of the data in order, and how many bytes they are. The others wait for what follows them; once the
-- stream has ended nothing follows. A part has its kind, its first and last place, and "what":
--   frame: its bytes without escapes     bad: the reason     noise: "00", "other" or the name of a known token
local function find_parts(data, ended)
    local parts = {}
    local at = 1
    local pluses = 0 -- lone starts right before, of what may become "+++"

    local function tell(kind, first, last, what)
        if first <= last then parts[#parts + 1] = { kind = kind, first = first, last = last, what = what } end
    end
    local function noise_before(place)
        local part = parts[#parts]
        return part and part.last == place - 1 and part.what == "other" and part
    end
    local function tell_noise(first, last)
        if first > last then return end
        local before = noise_before(first)
        if before then
            first = before.first
            parts[#parts] = nil
        end
        tell("noise", first, last, (data:find("[^\0]", first) or #data + 1) <= last and "other" or "00")
    end
    local function take_back(count) -- bytes at the end of the noise that was told last
        local part = table.remove(parts)
        tell_noise(part.first, part.last - count)
    end
    local function tell_pluses()
        for place = at - pluses, at - 1 do tell("bad", place, place, "truncated") end
        pluses = 0
    end
    local function tell_token(run, why) -- returns where it ends
        local noise = noise_before(at)
        if run:sub(1, 3) == EXTENSION then
            tell_pluses()
            tell("noise", at, at + 2, "extension")
            return at + 2
        elseif why == "command" and pluses == 2 then
            pluses = 0
            tell("noise", at - 2, at, "+++")
            return at
        elseif run:sub(1, 2) == "+\r" and noise and data:sub(noise.first, noise.last):find("AT$") then
            take_back(2)
            tell("noise", at - 2, at + 1, "AT+")
            return at + 1
        end
    end

    local function leave(taken) -- returns the parts, and how many bytes they are
        local noise, rest = noise_before(taken + 1), data:sub(taken + 1)
        if noise and (rest == "" or rest == "+") then -- both may go on as "AT+\r"
            local keep_alive = data:sub(noise.first, noise.last):match("AT?$") or ""
            take_back(#keep_alive)
            taken = taken - #keep_alive
        end
        return parts, taken
    end

    while at <= #data do
        local headed = data:byte(at) == START
        local edge = run_end(data, headed and at + 1 or at)
        local open = not ended and edge >= #data and data:byte(edge) ~= START
        local broken = not open and data:byte(edge) == ESCAPE
        local run = data:sub(at, edge - 1)
        if run == "+" and not open and not broken then
            pluses = pluses + 1
            if pluses == 3 then
                pluses = 0
                tell("noise", at - 2, at, "+++")
            end
        else
            local image, marks = unescape(run)
            local frames, known, why, shown = look(image, marks, headed, open)
            if not frames or open and image == "+<" then return leave(at - pluses - 1) end
            local function place(number) return at - 1 + number + count_marks(marks, number) end
            local done = at - 1
            local token_end = why and tell_token(run, why)
            if token_end then
                done = token_end
            elseif why then
                -- A frame may yet turn out to begin in what would be told as bad.
                if known < shown then return leave(at - pluses - 1) end
                tell_pluses()
                done = math.min(place(shown), frames[1] and place(frames[1].first) - 1 or #data)
                tell("bad", at, done, why ~= "cut" and why or broken and "escape" or "truncated")
            else
                tell_pluses()
            end
            for _, frame in ipairs(frames) do
                tell_noise(done + 1, place(frame.first) - 1)
                done = place(frame.last)
                tell("frame", place(frame.first), done, image:sub(frame.first, frame.last))
            end
            tell_noise(done + 1, place(known))
            done = place(known)
            if open then return leave(done) end
        end
        if broken then tell_noise(edge, edge) end
        at = broken and edge + 1 or edge
    end
    tell_pluses() -- the stream has ended
    return parts, #data
end

-- The protocol -------------------------------------------------------------------------------------------------------

local rct = Proto("rct", "RCT Power serial protocol")

local field = {
    frame = ProtoField.bytes("rct.frame", "Frame"),
    command = ProtoField.uint8("rct.command", "Command", base.HEX, COMMANDS),
    length = ProtoField.uint16("rct.length", "Length"),
    address = ProtoField.uint32("rct.address", "Address", base.HEX),
    object_id = ProtoField.uint32("rct.object_id", "Object id", base.HEX),
    object = ProtoField.string("rct.object", "Object"),
    unit = ProtoField.string("rct.unit", "Unit"),
    payload = ProtoField.bytes("rct.payload", "Payload"),
    value = ProtoField.double("rct.value", "Value"),
    text = ProtoField.string("rct.text", "Text"),
    label = ProtoField.string("rct.label", "Meaning"),
    time = ProtoField.string("rct.time", "Time on the inverter's clock"),
    event = ProtoField.uint32("rct.event", "Event type"),
    event_value = ProtoField.uint32("rct.event.value", "Value", base.HEX),
    cell = ProtoField.uint32("rct.cell", "Cell"),
    temperature = ProtoField.uint8("rct.cell.temperature", "Temperature in °C"),
    voltage = ProtoField.double("rct.cell.voltage", "Voltage in V"),
    status = ProtoField.uint8("rct.cell.status", "Status", base.HEX),
    crc = ProtoField.uint16("rct.crc", "Checksum", base.HEX),
    crc_status = ProtoField.uint8("rct.crc.status", "Checksum status", base.DEC, { [0] = "Bad", [1] = "Good" }),
    bad = ProtoField.string("rct.bad", "Bad frame"),
    noise = ProtoField.string("rct.noise", "Noise"),
}
rct.fields = field

local expert_of = {
    bad = ProtoExpert.new("rct.bad.frame", "Bad frame", expert.group.MALFORMED, expert.severity.ERROR),
    stub = ProtoExpert.new("rct.stub", "The payload does not fit its object", expert.group.PROTOCOL, expert.severity.WARN),
}
rct.experts = expert_of

-- Values -------------------------------------------------------------------------------------------------------------

local function write_number(number)
    if number ~= number then return "nan" end
    return (number % 1 == 0 and math.abs(number) < 1e15 and "%.0f" or "%.6g"):format(number)
end

-- The clock of an inverter shows local time, and counts it as though it were UTC.
local function add_time(tree, range, seconds)
    local text = os.date("!%Y-%m-%d %H:%M:%S", seconds or range:uint())
    tree:add(field.time, range, text)
    return text
end

-- The rest of this section is a table: how many bytes a type has, whether so many fit it, and what adds the fields of a
-- payload to a tree and returns it in a few words.

local function sized(size, show)
    return {
        size = size == 1 and "1 byte" or size .. " bytes",
        fits = function(length) return length == size end,
        show = show,
    }
end

local function number(size, read)
    return sized(size, function(tree, range, object)
        local value = range[read](range)
        local unit = object.unit and " " .. object.unit or ""
        tree:add(field.value, range, value):append_text(unit)
        local label = object.labels and object.labels[value]
        if label then tree:add(field.label, range, label) end
        for bit = 0, object.bits and 31 or -1 do
            if object.bits[bit] and math.floor(value / 2 ^ bit) % 2 == 1 then
                tree:add(field.label, range, object.bits[bit])
            end
        end
        return write_number(value) .. (unit == " ratio" and "" or unit)
    end)
end

-- Structures: some bytes before them, and rows of so many bytes.
local function rows(head, size, noun, show_row, count)
    return {
        size = count and count * size .. " bytes" or ("%d + n * %d bytes"):format(head, size),
        fits = function(length)
            if count then return length == count * size end
            return (length - head) % size == 0
        end,
        show = function(tree, range, object)
            if head > 0 then add_time(tree, range(0, 4)) end
            local total = math.floor((range:len() - head) / size)
            for row = 0, total - 1 do
                local bytes = range(head + row * size, size)
                local item = tree:add(bytes, "")
                item:set_text(show_row(item, bytes, row, object))
            end
            return total .. " " .. noun
        end,
    }
end

local EXTREMES = { [0] = "lowest voltage", "highest voltage", "lowest temperature", "highest temperature" }

local TAIL = "[\x80-\xBF]"
local UTF_8 = { -- all that may stand in it for a character beyond ASCII
    "[\xC2-\xDF]" .. TAIL,
    "\xE0[\xA0-\xBF]" .. TAIL, "[\xE1-\xEC\xEE\xEF]" .. TAIL .. TAIL, "\xED[\x80-\x9F]" .. TAIL,
    "\xF0[\x90-\xBF]" .. TAIL .. TAIL, "[\xF1-\xF3]" .. TAIL .. TAIL .. TAIL, "\xF4[\x80-\x8F]" .. TAIL .. TAIL,
}

-- Return text as UTF-8: what is none is taken for Latin-1. TvbRange:string() returns as many bytes as the range has,
-- however many the text needs.
local function to_utf8(text)
    local rest = text
    for _, pattern in ipairs(UTF_8) do rest = rest:gsub(pattern, "?") end
    if not rest:find("[\x80-\xFF]") then return text end
    return (text:gsub("[\x80-\xFF]", function(character)
        local byte = character:byte()
        return string.char(0xC0 + math.floor(byte / 64), 0x80 + byte % 64)
    end))
end

local TYPES = {
    BOOL = sized(1, function(tree, range)
        local set = range:uint() > 0
        tree:add(field.value, range, set and 1 or 0)
        return tostring(set)
    end),
    UINT8 = number(1, "uint"), UINT16 = number(2, "uint"), UINT32 = number(4, "uint"),
    INT8 = number(1, "int"), INT16 = number(2, "int"), INT32 = number(4, "int"),
    ENUM = number(1, "uint"), FLOAT = number(4, "float"),
    TIME = sized(4, function(tree, range) return add_time(tree, range) end), -- what asks for a page of history
    STRING = {
        size = "text, NUL at its end",
        fits = function() return true end,
        show = function(tree, range)
            local raw = range:len() > 0 and range:raw() or ""
            local text = to_utf8(raw:match("^[^\0]*")) -- behind the NUL is left-over memory
            tree:add(field.text, range, text)
            return '"' .. text .. '"'
        end,
    },
    UNKNOWN = {
        fits = function() return true end,
        show = function(_, range) return range:len() .. " bytes" end,
    },
    TIMESERIES = rows(4, 8, "rows", function(item, range, _, object)
        local value = range(4, 4):float()
        local text = add_time(item, range(0, 4)) .. ": " .. write_number(value)
        item:add(field.value, range(4, 4), value)
        return object.unit and text .. " " .. object.unit or text
    end),
    EVENT_TABLE = rows(4, 20, "events", function(item, range)
        local kind = range(0, 4):uint()
        local label = EVENTS[kind] or ("type 0x%02x"):format(kind)
        item:add(field.event, range(0, 4))
        item:add(field.label, range(0, 4), label)
        local text = add_time(item, range(4, 4)) .. ": " .. label
        for place = 8, 16, 4 do item:add(field.event_value, range(place, 4)) end
        return text
    end),
    BATTERY_MODULE_STATUS = rows(0, 4, "cells", function(item, range, row)
        local volt = range(1, 2):le_uint() / 1000
        item:add(field.cell, range, row):set_generated()
        item:add(field.temperature, range(0, 1))
        item:add(field.voltage, range(1, 2), volt)
        item:add(field.status, range(3, 1))
        return ("cell %d: %.3f V, %d °C"):format(row, volt, range(0, 1):uint())
    end, 24),
    BATTERY_MODULE_STATISTICS = rows(0, 12, "extremes", function(item, range, row)
        local cell, value = range(0, 4):le_uint(), range(8, 4):le_float()
        item:add_le(field.cell, range(0, 4))
        local time = add_time(item, range(4, 4), range(4, 4):le_uint())
        item:add(field.value, range(8, 4), value)
        return ("%s: %s, cell %d, %s"):format(EXTREMES[row], write_number(value), cell, time)
    end, 4),
    BATTERY_MODULE_RESISTANCE = rows(0, 4, "cells", function(item, range, row)
        local milliohm = range(0, 2):uint() / 256
        item:add(field.cell, range, row):set_generated()
        item:add(field.value, range(0, 2), milliohm):append_text(" mΩ")
        return ("cell %d: %s mΩ"):format(row, write_number(milliohm))
    end, 24),
}

-- Showing ------------------------------------------------------------------------------------------------------------

local function describe(id)
    return OBJECTS[id] or { name = ("0x%08X"):format(id), type = "UNKNOWN" }
end

-- Each of these adds what is in a part to its item, and returns it in a few words; nothing when it is not worth a word.
local SHOW = {}

function SHOW.frame(item, tvb, part)
    local image = part.what
    if #image == tvb:len() then
        tvb = tvb:range():tvb()
    else
        tvb = ByteArray.new(image, true):tvb("RCT frame without escapes")
    end
    local command = COMMANDS[image:byte(2)]
    local place = command:find("LONG") and 4 or 3
    local size = tvb:len() - place - 6 -- of the payload
    item:add(field.command, tvb(1, 1))
    item:add(field.length, tvb(2, place - 2))
    if command:find("PLANT") then
        item:add(field.address, tvb(place, 4))
        place, size = place + 4, size - 4
    end
    local object = describe(tvb(place, 4):uint())
    item:add(field.object_id, tvb(place, 4))
    item:add(field.object, tvb(place, 4), object.name):set_generated()
    if object.unit then item:add(field.unit, tvb(place, 4), object.unit):set_generated() end
    local words = command .. " " .. object.name

    local payload = tvb(place + 4, size)
    if size > 0 then item:add(field.payload, payload) end
    if not command:find("READ") then
        local type_name = object.type
        if not command:find("RESPONSE") and (type_name == "TIMESERIES" or type_name == "EVENT_TABLE") then
            type_name = "TIME"
        end
        local layout = TYPES[type_name]
        if layout.fits(size) then
            words = words .. " " .. layout.show(item, payload, object)
        else
            local got = size > 0 and size .. " bytes" or "nothing"
            local what = ("expected %s (%s), got %s"):format(type_name, layout.size, got)
            item:add_proto_expert_info(expert_of.stub, what)
            words = words .. " " .. what
        end
    end
    item:add(field.crc, tvb(#image - 2, 2))
    item:add(field.crc_status, tvb(#image - 2, 2), 1):set_generated()
    return words
end

function SHOW.bad(item, tvb, part)
    local words = "bad frame: " .. part.what
    local image = unescape(tvb:raw())
    if part.what == "crc" and measure(image, 1) == #image then
        local found, expected = image:byte(-2) * 256 + image:byte(-1), checksums(image)(2, #image - 2)
        item:add(field.crc, tvb:range(), found)
        item:add(field.crc_status, tvb:range(), 0):set_generated()
        words = ("%s %04x, expected %04x"):format(words, found, expected)
    end
    item:add_proto_expert_info(expert_of.bad, words)
    return words
end

function SHOW.noise(_, _, part)
    return part.what ~= "00" and "noise: " .. part.what or nil
end

local segment_length = Field.new("tcp.len")

-- By packet: what was told when it was seen first, if something waited. When Wireshark shows such a packet again, it does
-- not bring what followed those bytes, and showed what they are.
local told = {}

function rct.init()
    told = {}
end

local function find_in_packet(data, pinfo)
    local before = pinfo.visited and told[pinfo.number]
    if before then return before.parts, before.taken end
    local parts, taken = find_parts(data, pinfo.can_desegment == 0)
    if taken < #data then
        -- What waits must begin in the newest segment. Else Wireshark brings all of this again, to be told twice.
        local lengths = { segment_length() }
        if taken <= #data - lengths[#lengths].value then parts, taken = {}, 0 end
        told[pinfo.number] = { parts = parts, taken = taken }
    end
    return parts, taken
end

function rct.dissector(tvb, pinfo, tree)
    local parts, taken = find_in_packet(tvb:raw(), pinfo)
    if taken < tvb:len() then
        pinfo.desegment_offset = taken
        pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
    end
    if taken == 0 then return end

    local root = tree:add(rct, tvb(0, taken))
    local column = {}
    for _, part in ipairs(parts) do
        local range = tvb(part.first - 1, part.last - part.first + 1)
        local item = part.kind == "frame" and root:add(field.frame, range) or root:add(field[part.kind], range, part.what)
        local words = SHOW[part.kind](item, range:tvb(), part)
        if words then
            column[#column + 1] = words
            item:set_text(words:sub(1, 1):upper() .. words:sub(2))
        end
    end
    pinfo.cols.protocol = "RCT"
    if #column > 0 then
        pinfo.cols.info = table.concat(column, "; ")
        pinfo.cols.info:fence()
    end
end

-- Where it is used: "Decode As" offers it for every TCP port -----------------------------------------------------------

rct.prefs.ports = Pref.range("TCP ports", "8899", "The ports of inverters, and of what stands between you and them", 65535)

local tcp_ports = DissectorTable.get("tcp.port")
local ports = rct.prefs.ports

function rct.prefs_changed()
    if ports ~= rct.prefs.ports then
        if ports ~= "" then tcp_ports:remove(ports, rct) end
        ports = rct.prefs.ports
        if ports ~= "" then tcp_ports:add(ports, rct) end
    end
end

tcp_ports:add(ports, rct)

-- Tables: written by docs/generate.py, do not edit -------------------------------------------------------------------

OBJECTS = {
    [0x0AFDD6CF] = { name = "acc_conv.i_acc_lp_fast", type = "FLOAT", unit = "A" },
    [0xB408E40A] = { name = "acc_conv.i_acc_lp_slow", type = "FLOAT", unit = "A" },
    [0xB0FA4D23] = { name = "acc_conv.i_charge_max", type = "FLOAT", unit = "A" },
    [0xC642B9D6] = { name = "acc_conv.i_discharge_max", type = "FLOAT", unit = "A" },
    [0xE3F4D1DF] = { name = "acc_conv.i_max", type = "FLOAT", unit = "A" },
    [0xD9F9F35B] = { name = "acc_conv.state_slow", type = "UINT8" },
    [0xB84FDCF9] = { name = "adc.u_acc", type = "FLOAT", unit = "V" },
    [0x07C61FAD] = { name = "adc.u_ref_1_5v[0]", type = "UINT16" },
    [0x16B28CCA] = { name = "adc.u_ref_1_5v[1]", type = "UINT16" },
    [0x715C84A1] = { name = "adc.u_ref_1_5v[2]", type = "UINT16" },
    [0x508FCE78] = { name = "adc.u_ref_1_5v[3]", type = "UINT16" },
    [0xEBC62737] = { name = "android_description", type = "STRING" },
    [0x3E25C391] = { name = "bat_mng_struct.bat_calib_soc_thresh", type = "FLOAT", unit = "ratio" },
    [0xFC5AA529] = { name = "bat_mng_struct.bat_calib_soc_threshold", type = "FLOAT", unit = "ratio" },
    [0xFB57BA65] = { name = "bat_mng_struct.count", type = "UNKNOWN" },
    [0xF0A03A20] = { name = "bat_mng_struct.k", type = "FLOAT" },
    [0xF644DCA7] = { name = "bat_mng_struct.k_reserve", type = "FLOAT" },
    [0xB2FB9A90] = { name = "bat_mng_struct.k_trust", type = "FLOAT" },
    [0x9DC927AA] = { name = "bat_mng_struct.profile_load", type = "UNKNOWN" },
    [0xDF6EA121] = { name = "bat_mng_struct.profile_pdc", type = "UNKNOWN" },
    [0x3B0C6A53] = { name = "bat_mng_struct.profile_pdc_max", type = "UNKNOWN" },
    [0xDE68F62D] = { name = "bat_mng_struct.profile_pext", type = "UNKNOWN" },
    [0xB57B59BD] = { name = "battery.ah_capacity", type = "FLOAT", unit = "Ah" },
    [0xE7B0E692] = { name = "battery.bat_impedance.impedance_fine", type = "FLOAT", unit = "Ohm" },
    [0x70A2AF4F] = { name = "battery.bat_status", type = "INT32", bits = { [3] = "calibration charge", [10] = "calibration discharge", [11] = "balancing" } },
    [0x1B39A3A3] = { name = "battery.bms_power_version", type = "UINT32" },
    [0x16A1F844] = { name = "battery.bms_sn", type = "STRING" },
    [0x9D785E8C] = { name = "battery.bms_software_version", type = "UINT32" },
    [0xF8C0D255] = { name = "battery.cells[0]", type = "BATTERY_MODULE_STATUS" },
    [0x8EF6FBBD] = { name = "battery.cells[1]", type = "BATTERY_MODULE_STATUS" },
    [0x69B8FF28] = { name = "battery.cells[2]", type = "BATTERY_MODULE_STATUS" },
    [0xC8609C8E] = { name = "battery.cells[3]", type = "BATTERY_MODULE_STATUS" },
    [0x1348AB07] = { name = "battery.cells[4]", type = "BATTERY_MODULE_STATUS" },
    [0x62D645D9] = { name = "battery.cells[5]", type = "BATTERY_MODULE_STATUS" },
    [0x40FF01B7] = { name = "battery.cells[6]", type = "BATTERY_MODULE_STATUS" },
    [0x649B10DA] = { name = "battery.cells_resist[0]", type = "BATTERY_MODULE_RESISTANCE" },
    [0x71CB0B57] = { name = "battery.cells_resist[1]", type = "BATTERY_MODULE_RESISTANCE" },
    [0xF3FD8CE6] = { name = "battery.cells_resist[2]", type = "BATTERY_MODULE_RESISTANCE" },
    [0x993C06F6] = { name = "battery.cells_resist[3]", type = "BATTERY_MODULE_RESISTANCE" },
    [0xDEE1957F] = { name = "battery.cells_resist[4]", type = "BATTERY_MODULE_RESISTANCE" },
    [0x501A162D] = { name = "battery.cells_resist[5]", type = "BATTERY_MODULE_RESISTANCE" },
    [0xEB4C2597] = { name = "battery.cells_resist[6]", type = "BATTERY_MODULE_RESISTANCE" },
    [0x34A164E7] = { name = "battery.cells_stat[0]", type = "BATTERY_MODULE_STATISTICS" },
    [0x4443C661] = { name = "battery.cells_stat[0].t_max.index", type = "UINT8" },
    [0x336415EA] = { name = "battery.cells_stat[0].t_max.time", type = "UINT32" },
    [0x537C719F] = { name = "battery.cells_stat[0].t_max.value", type = "FLOAT", unit = "°C" },
    [0xDD5930A2] = { name = "battery.cells_stat[0].t_min.index", type = "UINT8" },
    [0x91C325D9] = { name = "battery.cells_stat[0].t_min.time", type = "UINT32" },
    [0x61EAC702] = { name = "battery.cells_stat[0].t_min.value", type = "FLOAT", unit = "°C" },
    [0x770A6E7C] = { name = "battery.cells_stat[0].u_max.index", type = "UINT8" },
    [0x7E590128] = { name = "battery.cells_stat[0].u_max.time", type = "UINT32" },
    [0x03D9C51F] = { name = "battery.cells_stat[0].u_max.value", type = "FLOAT", unit = "V" },
    [0xFE44BA26] = { name = "battery.cells_stat[0].u_min.index", type = "UINT8" },
    [0xC88EB032] = { name = "battery.cells_stat[0].u_min.time", type = "UINT32" },
    [0x889DC27F] = { name = "battery.cells_stat[0].u_min.value", type = "FLOAT", unit = "V" },
    [0xFB796780] = { name = "battery.cells_stat[1]", type = "BATTERY_MODULE_STATISTICS" },
    [0x26363AAE] = { name = "battery.cells_stat[1].t_max.index", type = "UINT8" },
    [0x5A120CE4] = { name = "battery.cells_stat[1].t_max.time", type = "UINT32" },
    [0xF257D342] = { name = "battery.cells_stat[1].t_max.value", type = "FLOAT", unit = "°C" },
    [0x70349444] = { name = "battery.cells_stat[1].t_min.index", type = "UINT8" },
    [0xBB302278] = { name = "battery.cells_stat[1].t_min.time", type = "UINT32" },
    [0xD0C47326] = { name = "battery.cells_stat[1].t_min.value", type = "FLOAT", unit = "°C" },
    [0xC42F5807] = { name = "battery.cells_stat[1].u_max.index", type = "UINT8" },
    [0x90832471] = { name = "battery.cells_stat[1].u_max.time", type = "UINT32" },
    [0x3A7D5F53] = { name = "battery.cells_stat[1].u_max.value", type = "FLOAT", unit = "V" },
    [0x6445D856] = { name = "battery.cells_stat[1].u_min.index", type = "UINT8" },
    [0xD60E7A2F] = { name = "battery.cells_stat[1].u_min.time", type = "UINT32" },
    [0xB4E053D4] = { name = "battery.cells_stat[1].u_min.value", type = "FLOAT", unit = "V" },
    [0x74FD4609] = { name = "battery.cells_stat[2]", type = "BATTERY_MODULE_STATISTICS" },
    [0xA7DBD28C] = { name = "battery.cells_stat[2].t_max.index", type = "UINT8" },
    [0x265EACF6] = { name = "battery.cells_stat[2].t_max.time", type = "UINT32" },
    [0x331D0689] = { name = "battery.cells_stat[2].t_max.value", type = "FLOAT", unit = "°C" },
    [0xA7FE5C0C] = { name = "battery.cells_stat[2].t_min.index", type = "UINT8" },
    [0xC0680302] = { name = "battery.cells_stat[2].t_min.time", type = "UINT32" },
    [0xA3E48B21] = { name = "battery.cells_stat[2].t_min.value", type = "FLOAT", unit = "°C" },
    [0x34E33726] = { name = "battery.cells_stat[2].u_max.index", type = "UINT8" },
    [0x9E314430] = { name = "battery.cells_stat[2].u_max.time", type = "UINT32" },
    [0xE7177DEE] = { name = "battery.cells_stat[2].u_max.value", type = "FLOAT", unit = "V" },
    [0x257B5945] = { name = "battery.cells_stat[2].u_min.index", type = "UINT8" },
    [0xB81FB399] = { name = "battery.cells_stat[2].u_min.time", type = "UINT32" },
    [0xEECDFEFC] = { name = "battery.cells_stat[2].u_min.value", type = "FLOAT", unit = "V" },
    [0x01676FA6] = { name = "battery.cells_stat[3]", type = "BATTERY_MODULE_STATISTICS" },
    [0x056417DF] = { name = "battery.cells_stat[3].t_max.index", type = "UINT8" },
    [0x1F73B6A4] = { name = "battery.cells_stat[3].t_max.time", type = "UINT32" },
    [0xF044EDA0] = { name = "battery.cells_stat[3].t_max.value", type = "FLOAT", unit = "°C" },
    [0x09923C1E] = { name = "battery.cells_stat[3].t_min.index", type = "UINT8" },
    [0xFA3276DC] = { name = "battery.cells_stat[3].t_min.time", type = "UINT32" },
    [0x3BA1B77B] = { name = "battery.cells_stat[3].t_min.value", type = "FLOAT", unit = "°C" },
    [0xFDBD9EE9] = { name = "battery.cells_stat[3].u_max.index", type = "UINT8" },
    [0x3503B92D] = { name = "battery.cells_stat[3].u_max.time", type = "UINT32" },
    [0x0EF60C7E] = { name = "battery.cells_stat[3].u_max.value", type = "FLOAT", unit = "V" },
    [0x41B11ECF] = { name = "battery.cells_stat[3].u_min.index", type = "UINT8" },
    [0x8DFFDD33] = { name = "battery.cells_stat[3].u_min.time", type = "UINT32" },
    [0x18F98B6D] = { name = "battery.cells_stat[3].u_min.value", type = "FLOAT", unit = "V" },
    [0x0DACF21B] = { name = "battery.cells_stat[4]", type = "BATTERY_MODULE_STATISTICS" },
    [0x064A60FE] = { name = "battery.cells_stat[4].t_max.index", type = "UINT8" },
    [0xAACAC898] = { name = "battery.cells_stat[4].t_max.time", type = "UINT32" },
    [0x8160539D] = { name = "battery.cells_stat[4].t_max.value", type = "FLOAT", unit = "°C" },
    [0xA6871A4D] = { name = "battery.cells_stat[4].t_min.index", type = "UINT8" },
    [0x442A3409] = { name = "battery.cells_stat[4].t_min.time", type = "UINT32" },
    [0x5AF50FD7] = { name = "battery.cells_stat[4].t_min.value", type = "FLOAT", unit = "°C" },
    [0x077692DE] = { name = "battery.cells_stat[4].u_max.index", type = "UINT8" },
    [0x8EC23427] = { name = "battery.cells_stat[4].u_max.time", type = "UINT32" },
    [0xF54BC06D] = { name = "battery.cells_stat[4].u_max.value", type = "FLOAT", unit = "V" },
    [0x120EC3B4] = { name = "battery.cells_stat[4].u_min.index", type = "UINT8" },
    [0x056162CA] = { name = "battery.cells_stat[4].u_min.time", type = "UINT32" },
    [0x6DB1FDDC] = { name = "battery.cells_stat[4].u_min.value", type = "FLOAT", unit = "V" },
    [0x23E55DA0] = { name = "battery.cells_stat[5]", type = "BATTERY_MODULE_STATISTICS" },
    [0x3F98F58A] = { name = "battery.cells_stat[5].t_max.index", type = "UINT8" },
    [0x7FF6252C] = { name = "battery.cells_stat[5].t_max.time", type = "UINT32" },
    [0xDE9CBCB0] = { name = "battery.cells_stat[5].t_max.value", type = "FLOAT", unit = "°C" },
    [0x71196579] = { name = "battery.cells_stat[5].t_min.index", type = "UINT8" },
    [0xEFD3EC8A] = { name = "battery.cells_stat[5].t_min.time", type = "UINT32" },
    [0x88BBF8CB] = { name = "battery.cells_stat[5].t_min.value", type = "FLOAT", unit = "°C" },
    [0x18D1E9E0] = { name = "battery.cells_stat[5].u_max.index", type = "UINT8" },
    [0x6E24632E] = { name = "battery.cells_stat[5].u_max.time", type = "UINT32" },
    [0x4D985F33] = { name = "battery.cells_stat[5].u_max.value", type = "FLOAT", unit = "V" },
    [0xB9E09F78] = { name = "battery.cells_stat[5].u_min.index", type = "UINT8" },
    [0x518C7BBE] = { name = "battery.cells_stat[5].u_min.time", type = "UINT32" },
    [0x428CCF46] = { name = "battery.cells_stat[5].u_min.value", type = "FLOAT", unit = "V" },
    [0xF99E8CC8] = { name = "battery.cells_stat[6]", type = "BATTERY_MODULE_STATISTICS" },
    [0xBDE3BF0A] = { name = "battery.cells_stat[6].t_max.index", type = "UINT8" },
    [0x8EF9C9B8] = { name = "battery.cells_stat[6].t_max.time", type = "UINT32" },
    [0x91FB68CD] = { name = "battery.cells_stat[6].t_max.value", type = "FLOAT", unit = "°C" },
    [0xDFF966E3] = { name = "battery.cells_stat[6].t_min.index", type = "UINT8" },
    [0x8BB08839] = { name = "battery.cells_stat[6].t_min.time", type = "UINT32" },
    [0x885BB57E] = { name = "battery.cells_stat[6].t_min.value", type = "FLOAT", unit = "°C" },
    [0x7F42BB82] = { name = "battery.cells_stat[6].u_max.index", type = "UINT8" },
    [0xC6DA81A0] = { name = "battery.cells_stat[6].u_max.time", type = "UINT32" },
    [0x804A3266] = { name = "battery.cells_stat[6].u_max.value", type = "FLOAT", unit = "V" },
    [0x50514732] = { name = "battery.cells_stat[6].u_min.index", type = "UINT8" },
    [0x60749E5E] = { name = "battery.cells_stat[6].u_min.time", type = "UINT32" },
    [0x6213589B] = { name = "battery.cells_stat[6].u_min.value", type = "FLOAT", unit = "V" },
    [0x06A9FFA2] = { name = "battery.charged_amp_hours", type = "FLOAT", unit = "Ah" },
    [0x21961B58] = { name = "battery.current", type = "FLOAT", unit = "A" },
    [0xC0DF2978] = { name = "battery.cycles", type = "INT32" },
    [0x2BC1E72B] = { name = "battery.discharged_amp_hours", type = "FLOAT", unit = "Ah" },
    [0xACF7666B] = { name = "battery.efficiency", type = "FLOAT", unit = "ratio" },
    [0x7268CE4D] = { name = "battery.inv_cmd", type = "UINT32" },
    [0x55DDF7BA] = { name = "battery.max_cell_temperature", type = "FLOAT", unit = "°C" },
    [0x2AACCAA7] = { name = "battery.max_cell_voltage", type = "FLOAT", unit = "V" },
    [0x1E5FCA70] = { name = "battery.maximum_charge_current", type = "FLOAT", unit = "A" },
    [0x6E491B50] = { name = "battery.maximum_charge_voltage", type = "FLOAT", unit = "V" },
    [0x5847E59E] = { name = "battery.maximum_charge_voltage_constant_u", type = "FLOAT", unit = "V" },
    [0xDF0A735C] = { name = "battery.maximum_discharge_current", type = "FLOAT", unit = "A" },
    [0xA10D9A4B] = { name = "battery.min_cell_temperature", type = "FLOAT", unit = "°C" },
    [0x4CB7C0DC] = { name = "battery.min_cell_voltage", type = "FLOAT", unit = "V" },
    [0xB0EBE75A] = { name = "battery.minimum_discharge_voltage", type = "FLOAT", unit = "V" },
    [0xEA77252E] = { name = "battery.minimum_discharge_voltage_constant_u", type = "FLOAT", unit = "V" },
    [0xFBF6D834] = { name = "battery.module_sn[0]", type = "STRING" },
    [0x99396810] = { name = "battery.module_sn[1]", type = "STRING" },
    [0x73489528] = { name = "battery.module_sn[2]", type = "STRING" },
    [0x257B7612] = { name = "battery.module_sn[3]", type = "STRING" },
    [0x4E699086] = { name = "battery.module_sn[4]", type = "STRING" },
    [0x162491E8] = { name = "battery.module_sn[5]", type = "STRING" },
    [0x5939EC5D] = { name = "battery.module_sn[6]", type = "STRING" },
    [0x4B51A539] = { name = "battery.prog_sn", type = "STRING" },
    [0x959930BF] = { name = "battery.soc", type = "FLOAT", unit = "ratio" },
    [0x8B9FF008] = { name = "battery.soc_target", type = "FLOAT", unit = "ratio" },
    [0xB84A38AB] = { name = "battery.soc_target_high", type = "FLOAT", unit = "ratio" },
    [0xA616B022] = { name = "battery.soc_target_low", type = "FLOAT", unit = "ratio" },
    [0x4E04DD55] = { name = "battery.soc_update_since", type = "FLOAT" },
    [0x381B8BF9] = { name = "battery.soh", type = "FLOAT", unit = "ratio" },
    [0xA6C4FD4A] = { name = "battery.stack_cycles[0]", type = "UINT16" },
    [0x0CFA8BC4] = { name = "battery.stack_cycles[1]", type = "UINT16" },
    [0x5BA122A5] = { name = "battery.stack_cycles[2]", type = "UINT16" },
    [0x89B25F4B] = { name = "battery.stack_cycles[3]", type = "UINT16" },
    [0x5A9EEFF0] = { name = "battery.stack_cycles[4]", type = "UINT16" },
    [0x2A30A97E] = { name = "battery.stack_cycles[5]", type = "UINT16" },
    [0x27C39CEA] = { name = "battery.stack_cycles[6]", type = "UINT16" },
    [0x6388556C] = { name = "battery.stack_software_version[0]", type = "UINT32" },
    [0xA54C4685] = { name = "battery.stack_software_version[1]", type = "UINT32" },
    [0xC8BA1729] = { name = "battery.stack_software_version[2]", type = "UINT32" },
    [0x086C75B0] = { name = "battery.stack_software_version[3]", type = "UINT32" },
    [0xA40906BF] = { name = "battery.stack_software_version[4]", type = "UINT32" },
    [0xEEA3F59B] = { name = "battery.stack_software_version[5]", type = "UINT32" },
    [0x6974798A] = { name = "battery.stack_software_version[6]", type = "UINT32" },
    [0x71765BD8] = { name = "battery.status", type = "INT32", bits = { [0] = "disconnected", [1] = "relay test", [2] = "ready", [3] = "calibration charge", [4] = "standby", [5] = "shut down", [6] = "precharge", [7] = "start-up", [8] = "full", [9] = "empty", [10] = "calibration discharge", [11] = "balancing", [12] = "error", [13] = "update" } },
    [0x0DE3D20D] = { name = "battery.status2", type = "INT32", bits = { [0] = "disconnected", [1] = "relay test", [2] = "ready", [3] = "calibration charge", [4] = "standby", [5] = "shut down", [6] = "precharge", [7] = "start-up", [8] = "full", [9] = "empty", [10] = "calibration discharge", [11] = "balancing", [12] = "error", [13] = "update" } },
    [0x5570401B] = { name = "battery.stored_energy", type = "FLOAT", unit = "Wh" },
    [0x902AFAFB] = { name = "battery.temperature", type = "FLOAT", unit = "°C" },
    [0xA9033880] = { name = "battery.used_energy", type = "FLOAT", unit = "Wh" },
    [0x65EED11B] = { name = "battery.voltage", type = "FLOAT", unit = "V" },
    [0xBD95C46C] = { name = "battery_placeholder[0].ah_capacity", type = "FLOAT", unit = "Ah" },
    [0x6C03F5ED] = { name = "battery_placeholder[0].bms_power_version", type = "UINT32" },
    [0xEB7BCB93] = { name = "battery_placeholder[0].bms_sn", type = "STRING" },
    [0xC04A5F3A] = { name = "battery_placeholder[0].bms_software_version", type = "UINT32" },
    [0x4D684EF2] = { name = "battery_placeholder[0].cells[0]", type = "UNKNOWN" },
    [0x97DC2ECB] = { name = "battery_placeholder[0].cells[1]", type = "UNKNOWN" },
    [0x2F84A0A9] = { name = "battery_placeholder[0].cells[2]", type = "UNKNOWN" },
    [0x7C863EDB] = { name = "battery_placeholder[0].cells[3]", type = "UNKNOWN" },
    [0x1D83D2A5] = { name = "battery_placeholder[0].cells[4]", type = "UNKNOWN" },
    [0x9095FD74] = { name = "battery_placeholder[0].cells[5]", type = "UNKNOWN" },
    [0x60435F1C] = { name = "battery_placeholder[0].cells[6]", type = "UNKNOWN" },
    [0x0C2A7286] = { name = "battery_placeholder[0].cells_resist[0]", type = "UNKNOWN" },
    [0xE19C8B79] = { name = "battery_placeholder[0].cells_resist[1]", type = "UNKNOWN" },
    [0x7D839AE6] = { name = "battery_placeholder[0].cells_resist[2]", type = "UNKNOWN" },
    [0xF1DE6E99] = { name = "battery_placeholder[0].cells_resist[3]", type = "UNKNOWN" },
    [0x1FA192E3] = { name = "battery_placeholder[0].cells_resist[4]", type = "UNKNOWN" },
    [0xA8FEAEB9] = { name = "battery_placeholder[0].cells_resist[5]", type = "UNKNOWN" },
    [0x24AC4CBB] = { name = "battery_placeholder[0].cells_resist[6]", type = "UNKNOWN" },
    [0x23D4A386] = { name = "battery_placeholder[0].cells_stat[0]", type = "UNKNOWN" },
    [0x2E9F3C50] = { name = "battery_placeholder[0].cells_stat[0].t_max.index", type = "UINT8" },
    [0xD3F492EB] = { name = "battery_placeholder[0].cells_stat[0].t_max.time", type = "UINT32" },
    [0x08E81725] = { name = "battery_placeholder[0].cells_stat[0].t_max.value", type = "FLOAT", unit = "°C" },
    [0x947DDC38] = { name = "battery_placeholder[0].cells_stat[0].t_min.index", type = "UINT8" },
    [0xF451E935] = { name = "battery_placeholder[0].cells_stat[0].t_min.time", type = "UINT32" },
    [0x6D639C25] = { name = "battery_placeholder[0].cells_stat[0].t_min.value", type = "FLOAT", unit = "°C" },
    [0x5EF54372] = { name = "battery_placeholder[0].cells_stat[0].u_max.index", type = "UINT8" },
    [0xA2F87161] = { name = "battery_placeholder[0].cells_stat[0].u_max.time", type = "UINT32" },
    [0x18469762] = { name = "battery_placeholder[0].cells_stat[0].u_max.value", type = "FLOAT", unit = "V" },
    [0xD876A4AC] = { name = "battery_placeholder[0].cells_stat[0].u_min.index", type = "UINT8" },
    [0x6C10E96A] = { name = "battery_placeholder[0].cells_stat[0].u_min.time", type = "UINT32" },
    [0xE87B1F4B] = { name = "battery_placeholder[0].cells_stat[0].u_min.value", type = "FLOAT", unit = "V" },
    [0x4AAEB0D2] = { name = "battery_placeholder[0].cells_stat[1]", type = "UNKNOWN" },
    [0x920AFF34] = { name = "battery_placeholder[0].cells_stat[1].t_max.index", type = "UINT8" },
    [0x9486134F] = { name = "battery_placeholder[0].cells_stat[1].t_max.time", type = "UINT32" },
    [0x6383DEA9] = { name = "battery_placeholder[0].cells_stat[1].t_max.value", type = "FLOAT", unit = "°C" },
    [0x1F44C23A] = { name = "battery_placeholder[0].cells_stat[1].t_min.index", type = "UINT8" },
    [0xB130B8D6] = { name = "battery_placeholder[0].cells_stat[1].t_min.time", type = "UINT32" },
    [0xF23D4595] = { name = "battery_placeholder[0].cells_stat[1].t_min.value", type = "FLOAT", unit = "°C" },
    [0xF742C6BA] = { name = "battery_placeholder[0].cells_stat[1].u_max.index", type = "UINT8" },
    [0xF68ECC1F] = { name = "battery_placeholder[0].cells_stat[1].u_max.time", type = "UINT32" },
    [0x8128228D] = { name = "battery_placeholder[0].cells_stat[1].u_max.value", type = "FLOAT", unit = "V" },
    [0x4686E044] = { name = "battery_placeholder[0].cells_stat[1].u_min.index", type = "UINT8" },
    [0xA81176D0] = { name = "battery_placeholder[0].cells_stat[1].u_min.time", type = "UINT32" },
    [0x048C9D69] = { name = "battery_placeholder[0].cells_stat[1].u_min.value", type = "FLOAT", unit = "V" },
    [0x46C3625D] = { name = "battery_placeholder[0].cells_stat[2]", type = "UNKNOWN" },
    [0xCE49EB86] = { name = "battery_placeholder[0].cells_stat[2].t_max.index", type = "UINT8" },
    [0x8C6E28E4] = { name = "battery_placeholder[0].cells_stat[2].t_max.time", type = "UINT32" },
    [0x1FB3A602] = { name = "battery_placeholder[0].cells_stat[2].t_max.value", type = "FLOAT", unit = "°C" },
    [0xC71155B5] = { name = "battery_placeholder[0].cells_stat[2].t_min.index", type = "UINT8" },
    [0x95E1E844] = { name = "battery_placeholder[0].cells_stat[2].t_min.time", type = "UINT32" },
    [0x465DDB50] = { name = "battery_placeholder[0].cells_stat[2].t_min.value", type = "FLOAT", unit = "°C" },
    [0x53656F42] = { name = "battery_placeholder[0].cells_stat[2].u_max.index", type = "UINT8" },
    [0xCBBEEB21] = { name = "battery_placeholder[0].cells_stat[2].u_max.time", type = "UINT32" },
    [0x3A35D491] = { name = "battery_placeholder[0].cells_stat[2].u_max.value", type = "FLOAT", unit = "V" },
    [0xEEC44AA0] = { name = "battery_placeholder[0].cells_stat[2].u_min.index", type = "UINT8" },
    [0x2ED8A639] = { name = "battery_placeholder[0].cells_stat[2].u_min.time", type = "UINT32" },
    [0x02247588] = { name = "battery_placeholder[0].cells_stat[2].u_min.value", type = "FLOAT", unit = "V" },
    [0xFF5B8A54] = { name = "battery_placeholder[0].cells_stat[3]", type = "UNKNOWN" },
    [0x071B5514] = { name = "battery_placeholder[0].cells_stat[3].t_max.index", type = "UINT8" },
    [0xB228EC94] = { name = "battery_placeholder[0].cells_stat[3].t_max.time", type = "UINT32" },
    [0x4764F9EE] = { name = "battery_placeholder[0].cells_stat[3].t_max.value", type = "FLOAT", unit = "°C" },
    [0x652B7536] = { name = "battery_placeholder[0].cells_stat[3].t_min.index", type = "UINT8" },
    [0x576D2A08] = { name = "battery_placeholder[0].cells_stat[3].t_min.time", type = "UINT32" },
    [0xCD8EDAD3] = { name = "battery_placeholder[0].cells_stat[3].t_min.value", type = "FLOAT", unit = "°C" },
    [0x074B1EF5] = { name = "battery_placeholder[0].cells_stat[3].u_max.index", type = "UINT8" },
    [0x2295401F] = { name = "battery_placeholder[0].cells_stat[3].u_max.time", type = "UINT32" },
    [0xB5EDA8EC] = { name = "battery_placeholder[0].cells_stat[3].u_max.value", type = "FLOAT", unit = "V" },
    [0xD82F2D0B] = { name = "battery_placeholder[0].cells_stat[3].u_min.index", type = "UINT8" },
    [0x7839EBCB] = { name = "battery_placeholder[0].cells_stat[3].u_min.time", type = "UINT32" },
    [0xCB85C397] = { name = "battery_placeholder[0].cells_stat[3].u_min.value", type = "FLOAT", unit = "V" },
    [0xE14F1CBA] = { name = "battery_placeholder[0].cells_stat[4]", type = "UNKNOWN" },
    [0xC56A1346] = { name = "battery_placeholder[0].cells_stat[4].t_max.index", type = "UINT8" },
    [0xC7E85F32] = { name = "battery_placeholder[0].cells_stat[4].t_max.time", type = "UINT32" },
    [0xAA911BEE] = { name = "battery_placeholder[0].cells_stat[4].t_max.value", type = "FLOAT", unit = "°C" },
    [0x18BD807D] = { name = "battery_placeholder[0].cells_stat[4].t_min.index", type = "UINT8" },
    [0x792897C9] = { name = "battery_placeholder[0].cells_stat[4].t_min.time", type = "UINT32" },
    [0x8352F9DD] = { name = "battery_placeholder[0].cells_stat[4].t_min.value", type = "FLOAT", unit = "°C" },
    [0x1639B2D8] = { name = "battery_placeholder[0].cells_stat[4].u_max.index", type = "UINT8" },
    [0x961C8261] = { name = "battery_placeholder[0].cells_stat[4].u_max.time", type = "UINT32" },
    [0x4DC372A0] = { name = "battery_placeholder[0].cells_stat[4].u_max.value", type = "FLOAT", unit = "V" },
    [0xB399B5B3] = { name = "battery_placeholder[0].cells_stat[4].u_min.index", type = "UINT8" },
    [0xD1F9D017] = { name = "battery_placeholder[0].cells_stat[4].u_min.time", type = "UINT32" },
    [0xB1D465C7] = { name = "battery_placeholder[0].cells_stat[4].u_min.value", type = "FLOAT", unit = "V" },
    [0xFE38B227] = { name = "battery_placeholder[0].cells_stat[5]", type = "UNKNOWN" },
    [0x6E3336A8] = { name = "battery_placeholder[0].cells_stat[5].t_max.index", type = "UINT8" },
    [0x75898A45] = { name = "battery_placeholder[0].cells_stat[5].t_max.time", type = "UINT32" },
    [0xBA046C03] = { name = "battery_placeholder[0].cells_stat[5].t_max.value", type = "FLOAT", unit = "°C" },
    [0xD2DEA4B1] = { name = "battery_placeholder[0].cells_stat[5].t_min.index", type = "UINT8" },
    [0xAE99F87A] = { name = "battery_placeholder[0].cells_stat[5].t_min.time", type = "UINT32" },
    [0x4FEDC1BE] = { name = "battery_placeholder[0].cells_stat[5].t_min.value", type = "FLOAT", unit = "°C" },
    [0xB70D1703] = { name = "battery_placeholder[0].cells_stat[5].u_max.index", type = "UINT8" },
    [0xCA4E0C03] = { name = "battery_placeholder[0].cells_stat[5].u_max.time", type = "UINT32" },
    [0x314C13EB] = { name = "battery_placeholder[0].cells_stat[5].u_max.value", type = "FLOAT", unit = "V" },
    [0x31413485] = { name = "battery_placeholder[0].cells_stat[5].u_min.index", type = "UINT8" },
    [0x39AD4639] = { name = "battery_placeholder[0].cells_stat[5].u_min.time", type = "UINT32" },
    [0x27116260] = { name = "battery_placeholder[0].cells_stat[5].u_min.value", type = "FLOAT", unit = "V" },
    [0x7B8E811E] = { name = "battery_placeholder[0].cells_stat[6]", type = "UNKNOWN" },
    [0x6743CCCE] = { name = "battery_placeholder[0].cells_stat[6].t_max.index", type = "UINT8" },
    [0xFC1F8C65] = { name = "battery_placeholder[0].cells_stat[6].t_max.time", type = "UINT32" },
    [0xD81471DF] = { name = "battery_placeholder[0].cells_stat[6].t_max.value", type = "FLOAT", unit = "°C" },
    [0x79E66CDF] = { name = "battery_placeholder[0].cells_stat[6].t_min.index", type = "UINT8" },
    [0x0B94A673] = { name = "battery_placeholder[0].cells_stat[6].t_min.time", type = "UINT32" },
    [0xA23FE8B9] = { name = "battery_placeholder[0].cells_stat[6].t_min.value", type = "FLOAT", unit = "°C" },
    [0x0E4AA301] = { name = "battery_placeholder[0].cells_stat[6].u_max.index", type = "UINT8" },
    [0xF677D737] = { name = "battery_placeholder[0].cells_stat[6].u_max.time", type = "UINT32" },
    [0x1E0EB397] = { name = "battery_placeholder[0].cells_stat[6].u_max.value", type = "FLOAT", unit = "V" },
    [0x0DBD5E77] = { name = "battery_placeholder[0].cells_stat[6].u_min.index", type = "UINT8" },
    [0x374B5DD6] = { name = "battery_placeholder[0].cells_stat[6].u_min.time", type = "UINT32" },
    [0xA83F291F] = { name = "battery_placeholder[0].cells_stat[6].u_min.value", type = "FLOAT", unit = "V" },
    [0x79D7D617] = { name = "battery_placeholder[0].current", type = "FLOAT", unit = "A" },
    [0x073C7E5D] = { name = "battery_placeholder[0].max_cell_temperature", type = "FLOAT", unit = "°C" },
    [0x980C5525] = { name = "battery_placeholder[0].max_cell_voltage", type = "FLOAT", unit = "V" },
    [0x57945EE4] = { name = "battery_placeholder[0].maximum_charge_current", type = "FLOAT", unit = "A" },
    [0xC8E56803] = { name = "battery_placeholder[0].maximum_charge_voltage", type = "FLOAT", unit = "V" },
    [0x1025B491] = { name = "battery_placeholder[0].maximum_discharge_current", type = "FLOAT", unit = "A" },
    [0x241CFA0A] = { name = "battery_placeholder[0].min_cell_temperature", type = "FLOAT", unit = "°C" },
    [0xEA399EA8] = { name = "battery_placeholder[0].min_cell_voltage", type = "FLOAT", unit = "V" },
    [0x77A9480F] = { name = "battery_placeholder[0].minimum_discharge_voltage", type = "FLOAT", unit = "V" },
    [0x690C32D2] = { name = "battery_placeholder[0].module_sn[0]", type = "STRING" },
    [0xABA015FC] = { name = "battery_placeholder[0].module_sn[1]", type = "STRING" },
    [0xE635A6C4] = { name = "battery_placeholder[0].module_sn[2]", type = "STRING" },
    [0x4FC53F19] = { name = "battery_placeholder[0].module_sn[3]", type = "STRING" },
    [0x20A3A91F] = { name = "battery_placeholder[0].module_sn[4]", type = "STRING" },
    [0x035E64EA] = { name = "battery_placeholder[0].module_sn[5]", type = "STRING" },
    [0x8594D11E] = { name = "battery_placeholder[0].module_sn[6]", type = "STRING" },
    [0x8B4BE168] = { name = "battery_placeholder[0].soc", type = "FLOAT", unit = "ratio" },
    [0xB403A7E6] = { name = "battery_placeholder[0].soc_update_since", type = "FLOAT" },
    [0x1781CD31] = { name = "battery_placeholder[0].soh", type = "FLOAT", unit = "ratio" },
    [0xC937D38D] = { name = "battery_placeholder[0].stack_cycles[0]", type = "UINT16" },
    [0x51E5377D] = { name = "battery_placeholder[0].stack_cycles[1]", type = "UINT16" },
    [0x7BF3886B] = { name = "battery_placeholder[0].stack_cycles[2]", type = "UINT16" },
    [0x90C2AC13] = { name = "battery_placeholder[0].stack_cycles[3]", type = "UINT16" },
    [0x8AFD1410] = { name = "battery_placeholder[0].stack_cycles[4]", type = "UINT16" },
    [0x9AAA9CAA] = { name = "battery_placeholder[0].stack_cycles[5]", type = "UINT16" },
    [0x78228507] = { name = "battery_placeholder[0].stack_cycles[6]", type = "UINT16" },
    [0x77E5CEF1] = { name = "battery_placeholder[0].stack_software_version[0]", type = "UINT32" },
    [0x235E0DF5] = { name = "battery_placeholder[0].stack_software_version[1]", type = "UINT32" },
    [0x8822EF35] = { name = "battery_placeholder[0].stack_software_version[2]", type = "UINT32" },
    [0x0EC64BA7] = { name = "battery_placeholder[0].stack_software_version[3]", type = "UINT32" },
    [0xCF096A6B] = { name = "battery_placeholder[0].stack_software_version[4]", type = "UINT32" },
    [0x4FF8CCE2] = { name = "battery_placeholder[0].stack_software_version[5]", type = "UINT32" },
    [0xA7F4123B] = { name = "battery_placeholder[0].stack_software_version[6]", type = "UINT32" },
    [0x5C93093B] = { name = "battery_placeholder[0].status2", type = "INT32", bits = { [0] = "disconnected", [1] = "relay test", [2] = "ready", [3] = "calibration charge", [4] = "standby", [5] = "shut down", [6] = "precharge", [7] = "start-up", [8] = "full", [9] = "empty", [10] = "calibration discharge", [11] = "balancing", [12] = "error", [13] = "update" } },
    [0xC66665E8] = { name = "battery_placeholder[0].temperature", type = "FLOAT", unit = "°C" },
    [0xFCA1CBB5] = { name = "battery_placeholder[0].voltage", type = "FLOAT", unit = "V" },
    [0xFE1AA500] = { name = "buf_v_control.power_reduction", type = "FLOAT", unit = "ratio" },
    [0x4BC0F974] = { name = "buf_v_control.power_reduction_max_solar", type = "FLOAT", unit = "Wp" },
    [0xF473BC5E] = { name = "buf_v_control.power_reduction_max_solar_grid", type = "FLOAT", unit = "W" },
    [0x4539A6D4] = { name = "can_bus.bms_update_response[0]", type = "UINT32" },
    [0x7A67E33B] = { name = "can_bus.bms_update_response[1]", type = "UINT32" },
    [0x96629BB9] = { name = "can_bus.bms_update_state", type = "UINT8" },
    [0x69AA598A] = { name = "can_bus.requested_id", type = "INT32" },
    [0xBD4147B0] = { name = "can_bus.set_cell_resist", type = "UINT32" },
    [0xD143A391] = { name = "can_bus.set_cell_v_t", type = "UINT32" },
    [0x8FC89B10] = { name = "com_service", type = "ENUM", labels = { [0] = "Off", [1] = "OnlineOsci protocol", [2] = "COM protocol", [3] = "Start bootloader", [4] = "Reset DSP", [5] = "Flash parameter", [6] = "Erase parameters", [7] = "Set SSID", [8] = "Restart WiFi", [9] = "Write WiFi parameters", [10] = "Read WiFi parameters", [11] = "Datalog bulk erase", [12] = "Tune current sensors", [13] = "Start battery booster test", [14] = "Stop battery booster test", [15] = "Start stack commission", [16] = "Stop stack commission", [17] = "Reset battery statistics" } },
    [0x040385DB] = { name = "common_control_bits", type = "UINT32" },
    [0xE0E16E63] = { name = "cs_map[0]", type = "UINT8" },
    [0x6D5318C8] = { name = "cs_map[1]", type = "UINT8" },
    [0xD451EF88] = { name = "cs_map[2]", type = "UINT8" },
    [0x82258C01] = { name = "cs_neg[0]", type = "FLOAT" },
    [0x4C12C4C7] = { name = "cs_neg[1]", type = "FLOAT" },
    [0x019C0B60] = { name = "cs_neg[2]", type = "FLOAT" },
    [0x2703A771] = { name = "cs_struct.is_tuned", type = "BOOL" },
    [0x87E4387A] = { name = "current_sensor_max", type = "FLOAT", unit = "A" },
    [0xC24E85D0] = { name = "db.core_temp", type = "FLOAT", unit = "°C" },
    [0x1F9CBBF2] = { name = "db.power_board.Calibr_Value_Mean", type = "FLOAT" },
    [0xB69171C4] = { name = "db.power_board.Current_AC_RMS", type = "FLOAT", unit = "A" },
    [0x16AF2A92] = { name = "db.power_board.Current_Mean", type = "FLOAT", unit = "A" },
    [0xDFB53AF3] = { name = "db.power_board.Current_Mean_Mean_AC", type = "FLOAT", unit = "A" },
    [0x9981F1AC] = { name = "db.power_board.adc_m9V_meas", type = "FLOAT", unit = "V" },
    [0xF0527539] = { name = "db.power_board.adc_p3V3_meas", type = "FLOAT", unit = "V" },
    [0x80835476] = { name = "db.power_board.adc_p5V_W_meas", type = "FLOAT", unit = "V" },
    [0x17E3AF97] = { name = "db.power_board.adc_p9V_meas", type = "FLOAT", unit = "V" },
    [0x6FB2E2BF] = { name = "db.power_board.afi_i150", type = "FLOAT", unit = "A" },
    [0x6BA10831] = { name = "db.power_board.afi_i30", type = "FLOAT", unit = "A" },
    [0x742966A6] = { name = "db.power_board.afi_i300", type = "FLOAT", unit = "A" },
    [0x383A3614] = { name = "db.power_board.afi_i60", type = "FLOAT", unit = "A" },
    [0x5CD75669] = { name = "db.power_board.afi_t150", type = "FLOAT", unit = "s" },
    [0xC0B7C4D2] = { name = "db.power_board.afi_t30", type = "FLOAT", unit = "s" },
    [0x2ED89924] = { name = "db.power_board.afi_t300", type = "FLOAT", unit = "s" },
    [0x43FF47C3] = { name = "db.power_board.afi_t60", type = "FLOAT", unit = "s" },
    [0x3EFEB931] = { name = "db.power_board.relays_state", type = "UINT16" },
    [0xB0307591] = { name = "db.power_board.status", type = "UINT16" },
    [0x6279F2A3] = { name = "db.power_board.version_boot", type = "UINT32" },
    [0x7DA7D8B6] = { name = "db.power_board.version_main", type = "UINT32" },
    [0xF79D41D9] = { name = "db.temp1", type = "FLOAT", unit = "°C" },
    [0x4F735D10] = { name = "db.temp2", type = "FLOAT", unit = "°C" },
    [0x701A0482] = { name = "dc_conv.dc_conv_struct[0].enabled", type = "BOOL" },
    [0x6476A836] = { name = "dc_conv.dc_conv_struct[0].mpp.enable_scan", type = "BOOL" },
    [0x9E1A88F5] = { name = "dc_conv.dc_conv_struct[0].mpp.fixed_voltage", type = "FLOAT", unit = "V" },
    [0xBA8B8515] = { name = "dc_conv.dc_conv_struct[0].mpp.mpp_step", type = "FLOAT", unit = "V" },
    [0xB5317B78] = { name = "dc_conv.dc_conv_struct[0].p_dc", type = "FLOAT", unit = "W" },
    [0xDB11855B] = { name = "dc_conv.dc_conv_struct[0].p_dc_lp", type = "FLOAT", unit = "W" },
    [0xDB45ABD0] = { name = "dc_conv.dc_conv_struct[0].rescan_correction", type = "FLOAT", unit = "V" },
    [0xB298395D] = { name = "dc_conv.dc_conv_struct[0].u_sg_lp", type = "FLOAT", unit = "V" },
    [0x226A23A4] = { name = "dc_conv.dc_conv_struct[0].u_target", type = "FLOAT", unit = "V" },
    [0xFED51BD2] = { name = "dc_conv.dc_conv_struct[1].enabled", type = "BOOL" },
    [0x8DD1C728] = { name = "dc_conv.dc_conv_struct[1].mpp.enable_scan", type = "BOOL" },
    [0x5E942C62] = { name = "dc_conv.dc_conv_struct[1].mpp.fixed_voltage", type = "FLOAT", unit = "V" },
    [0x4AE96C12] = { name = "dc_conv.dc_conv_struct[1].mpp.mpp_step", type = "FLOAT", unit = "V" },
    [0xAA9AA253] = { name = "dc_conv.dc_conv_struct[1].p_dc", type = "FLOAT", unit = "W" },
    [0x0CB5D21B] = { name = "dc_conv.dc_conv_struct[1].p_dc_lp", type = "FLOAT", unit = "W" },
    [0xB836B50C] = { name = "dc_conv.dc_conv_struct[1].rescan_correction", type = "FLOAT", unit = "V" },
    [0x5BB8075A] = { name = "dc_conv.dc_conv_struct[1].u_sg_lp", type = "FLOAT", unit = "V" },
    [0x675776B1] = { name = "dc_conv.dc_conv_struct[1].u_target", type = "FLOAT", unit = "V" },
    [0xF87A2A1E] = { name = "dc_conv.last_rescan", type = "UINT32" },
    [0x62B8940B] = { name = "dc_conv.start_voltage", type = "FLOAT", unit = "V" },
    [0x0CC4BDAA] = { name = "detect_phase_shift_enable", type = "BOOL" },
    [0x8EC4116E] = { name = "display_struct.blink", type = "BOOL" },
    [0x29BDA75F] = { name = "display_struct.brightness", type = "UINT8" },
    [0xF247BB16] = { name = "display_struct.contrast", type = "UINT8" },
    [0x67BF3003] = { name = "display_struct.display_dir", type = "BOOL" },
    [0xC1D051EC] = { name = "display_struct.variate_contrast", type = "UINT8" },
    [0xBD55905F] = { name = "energy.e_ac_day", type = "FLOAT", unit = "Wh" },
    [0x3A873343] = { name = "energy.e_ac_day_sum", type = "FLOAT", unit = "Wh" },
    [0x10970E9D] = { name = "energy.e_ac_month", type = "FLOAT", unit = "Wh" },
    [0xFC1C614E] = { name = "energy.e_ac_month_sum", type = "FLOAT", unit = "Wh" },
    [0xB1EF67CE] = { name = "energy.e_ac_total", type = "FLOAT", unit = "Wh" },
    [0x79C0A724] = { name = "energy.e_ac_total_sum", type = "FLOAT", unit = "Wh" },
    [0xC0CC81B6] = { name = "energy.e_ac_year", type = "FLOAT", unit = "Wh" },
    [0x6709A2F4] = { name = "energy.e_ac_year_sum", type = "FLOAT", unit = "Wh" },
    [0x2AE703F2] = { name = "energy.e_dc_day[0]", type = "FLOAT", unit = "Wh" },
    [0xFBF3CE97] = { name = "energy.e_dc_day[1]", type = "FLOAT", unit = "Wh" },
    [0xC9D76279] = { name = "energy.e_dc_day_sum[0]", type = "FLOAT", unit = "Wh" },
    [0x241F1F98] = { name = "energy.e_dc_day_sum[1]", type = "FLOAT", unit = "Wh" },
    [0x81AE960B] = { name = "energy.e_dc_month[0]", type = "FLOAT", unit = "Wh" },
    [0x7AB9B045] = { name = "energy.e_dc_month[1]", type = "FLOAT", unit = "Wh" },
    [0xEAEEB3CA] = { name = "energy.e_dc_month_sum[0]", type = "FLOAT", unit = "Wh" },
    [0x21E1A802] = { name = "energy.e_dc_month_sum[1]", type = "FLOAT", unit = "Wh" },
    [0xFC724A9E] = { name = "energy.e_dc_total[0]", type = "FLOAT", unit = "Wh" },
    [0x68EEFD3D] = { name = "energy.e_dc_total[1]", type = "FLOAT", unit = "Wh" },
    [0xB7B2967F] = { name = "energy.e_dc_total_sum[0]", type = "FLOAT", unit = "Wh" },
    [0x812E5ADD] = { name = "energy.e_dc_total_sum[1]", type = "FLOAT", unit = "Wh" },
    [0xAF64D0FE] = { name = "energy.e_dc_year[0]", type = "FLOAT", unit = "Wh" },
    [0xBD55D796] = { name = "energy.e_dc_year[1]", type = "FLOAT", unit = "Wh" },
    [0x495BF0B6] = { name = "energy.e_dc_year_sum[0]", type = "FLOAT", unit = "Wh" },
    [0x6CFCD774] = { name = "energy.e_dc_year_sum[1]", type = "FLOAT", unit = "Wh" },
    [0xB9A026F9] = { name = "energy.e_ext_day", type = "FLOAT", unit = "Wh" },
    [0x0C588B75] = { name = "energy.e_ext_day_sum", type = "FLOAT", unit = "Wh" },
    [0x031A6110] = { name = "energy.e_ext_month", type = "FLOAT", unit = "Wh" },
    [0x6FF4BD55] = { name = "energy.e_ext_month_sum", type = "FLOAT", unit = "Wh" },
    [0xA59C8428] = { name = "energy.e_ext_total", type = "FLOAT", unit = "Wh" },
    [0x0F28E2E1] = { name = "energy.e_ext_total_sum", type = "FLOAT", unit = "Wh" },
    [0x917E3622] = { name = "energy.e_ext_year", type = "FLOAT", unit = "Wh" },
    [0x3A9D2680] = { name = "energy.e_ext_year_sum", type = "FLOAT", unit = "Wh" },
    [0x3C87C4F5] = { name = "energy.e_grid_feed_day", type = "FLOAT", unit = "Wh" },
    [0xFDB81124] = { name = "energy.e_grid_feed_day_sum", type = "FLOAT", unit = "Wh" },
    [0x65B624AB] = { name = "energy.e_grid_feed_month", type = "FLOAT", unit = "Wh" },
    [0xA5341F4A] = { name = "energy.e_grid_feed_month_sum", type = "FLOAT", unit = "Wh" },
    [0x44D4C533] = { name = "energy.e_grid_feed_total", type = "FLOAT", unit = "Wh" },
    [0x27C828F4] = { name = "energy.e_grid_feed_total_sum", type = "FLOAT", unit = "Wh" },
    [0x26EFFC2F] = { name = "energy.e_grid_feed_year", type = "FLOAT", unit = "Wh" },
    [0x84ABE3D8] = { name = "energy.e_grid_feed_year_sum", type = "FLOAT", unit = "Wh" },
    [0x867DEF7D] = { name = "energy.e_grid_load_day", type = "FLOAT", unit = "Wh" },
    [0xFBF8D63C] = { name = "energy.e_grid_load_day_sum", type = "FLOAT", unit = "Wh" },
    [0x126ABC86] = { name = "energy.e_grid_load_month", type = "FLOAT", unit = "Wh" },
    [0xDA207111] = { name = "energy.e_grid_load_month_sum", type = "FLOAT", unit = "Wh" },
    [0x62FBE7DC] = { name = "energy.e_grid_load_total", type = "FLOAT", unit = "Wh" },
    [0x1BFA5A33] = { name = "energy.e_grid_load_total_sum", type = "FLOAT", unit = "Wh" },
    [0xDE17F021] = { name = "energy.e_grid_load_year", type = "FLOAT", unit = "Wh" },
    [0xD9D66B76] = { name = "energy.e_grid_load_year_sum", type = "FLOAT", unit = "Wh" },
    [0x2F3C1D7D] = { name = "energy.e_load_day", type = "FLOAT", unit = "Wh" },
    [0x4BE02BB7] = { name = "energy.e_load_day_sum", type = "FLOAT", unit = "Wh" },
    [0xF0BE6429] = { name = "energy.e_load_month", type = "FLOAT", unit = "Wh" },
    [0xA12BE39C] = { name = "energy.e_load_month_sum", type = "FLOAT", unit = "Wh" },
    [0xEFF4B537] = { name = "energy.e_load_total", type = "FLOAT", unit = "Wh" },
    [0x7E096024] = { name = "energy.e_load_total_sum", type = "FLOAT", unit = "Wh" },
    [0xC7D3B479] = { name = "energy.e_load_year", type = "FLOAT", unit = "Wh" },
    [0x4EE8DB78] = { name = "energy.e_load_year_sum", type = "FLOAT", unit = "Wh" },
    [0x37F9D5CA] = { name = "fault[0].flt", type = "UINT32", bits = { [0] = "trap", [1] = "RTC cannot be configured", [2] = "RTC 1 Hz signal timeout", [3] = "hardware stop: 3.3 V supply", [4] = "hardware stop: PWM logic", [5] = "hardware stop: DC link overvoltage", [6] = "DC link + above limit", [7] = "DC link - above limit", [8] = "choke overcurrent L1", [9] = "choke overcurrent L2", [10] = "choke overcurrent L3", [11] = "buffer capacitor voltage", [12] = "quartz fault", [13] = "grid undervoltage L1", [14] = "grid undervoltage L2", [15] = "grid undervoltage L3", [16] = "battery overcurrent", [17] = "relay test failed", [18] = "board overtemperature", [19] = "core overtemperature", [20] = "heat sink 1 overtemperature", [21] = "heat sink 2 overtemperature", [22] = "I2C to power board", [23] = "power board fault", [24] = "PWM outputs defective", [25] = "insulation too low or implausible", [26] = "DC current component (1 A)", [27] = "DC current component slow (47 mA)", [28] = "DSD channel offset", [29] = "RS485 to relay box", [30] = "phase-to-phase overvoltage", [31] = "IGBT L1 high" } },
    [0x234B4736] = { name = "fault[1].flt", type = "UINT32", bits = { [0] = "IGBT L1 low", [1] = "IGBT L2 high", [2] = "IGBT L2 low", [3] = "IGBT L3 high", [4] = "IGBT L3 low", [5] = "long-term overvoltage L1", [6] = "long-term overvoltage L2", [7] = "long-term overvoltage L3", [8] = "overvoltage L1 level 1", [9] = "overvoltage L1 level 2", [10] = "overvoltage L2 level 1", [11] = "overvoltage L2 level 2", [12] = "overvoltage L3 level 1", [13] = "overvoltage L3 level 2", [14] = "overfrequency level 1", [15] = "overfrequency level 2", [16] = "undervoltage L1 level 1", [17] = "undervoltage L1 level 2", [18] = "undervoltage L2 level 1", [19] = "undervoltage L2 level 2", [20] = "undervoltage L3 level 1", [21] = "undervoltage L3 level 2", [22] = "underfrequency level 1", [23] = "underfrequency level 2", [24] = "CPU NMI", [25] = "HardFault", [26] = "MemManage", [27] = "BusFault", [28] = "UsageFault", [29] = "RTC power-on reset", [30] = "RTC oscillation stopped", [31] = "RTC supply drop" } },
    [0x3B7FCD47] = { name = "fault[2].flt", type = "UINT32", bits = { [0] = "RCD jump DC+AC > 30 mA", [1] = "RCD jump DC > 60 mA", [2] = "RCD jump AC > 150 mA", [3] = "RCD > 300 mA", [4] = "+5 V supply wrong", [5] = "-9 V supply wrong", [6] = "+9 V supply wrong", [7] = "+3.3 V supply wrong", [8] = "RDC calibration", [9] = "I2C bus", [10] = "AFI frequency generator", [11] = "heat sink too hot", [12] = "DC link over limit", [13] = "solar generator A voltage over limit", [14] = "solar generator B voltage over limit", [15] = "switch-on condition Umin L1", [16] = "switch-on condition Umax L1", [17] = "switch-on Fmin L1", [18] = "switch-on Fmax L1", [19] = "switch-on Umin L2", [20] = "switch-on Umax L2", [21] = "battery current sensor", [22] = "battery booster", [23] = "switch-on Umin L3", [24] = "switch-on Umax L3", [25] = "surge or phase failure", [26] = "disconnected from the household grid", [27] = "+9 V differs DSP/PIC", [28] = "1.5 V reference wrong", [29] = "2.5 V reference wrong", [30] = "1.5 V reference differs", [31] = "2.5 V reference differs" } },
    [0x7F813D73] = { name = "fault[3].flt", type = "UINT32", bits = { [0] = "battery voltage out of range", [1] = "main PIC does not start", [2] = "PIC bootloader unexpected", [3] = "phase position (not 120°)", [4] = "battery overvoltage", [5] = "choke current unstable", [6] = "grid voltage internal/external differ L1", [7] = "grid voltage internal/external differ L2", [8] = "grid voltage internal/external differ L3", [9] = "external emergency off", [10] = "battery empty", [11] = "CAN timeout with battery", [12] = "timing fault", [13] = "battery IGBT heat sink", [14] = "battery heat sink", [15] = "relay box internal", [16] = "relay box PE off", [17] = "relay box PE on", [18] = "internal battery error", [19] = "parameter changed", [20] = "three failed attempts to build an island", [21] = "phase-to-phase undervoltage", [22] = "system reset", [23] = "update", [24] = "FRT overvoltage", [25] = "FRT undervoltage", [26] = "IGBT L1 free-wheeling diode", [27] = "IGBT L2 free-wheeling diode", [28] = "IGBT L3 free-wheeling diode", [29] = "single-phase mode not allowed for this class", [30] = "island", [31] = "neutral" } },
    [0x65A44A98] = { name = "flash_mem", type = "UNKNOWN" },
    [0x96E32D11] = { name = "flash_param.erase_cycles", type = "UINT32" },
    [0x46892579] = { name = "flash_param.write_cycles", type = "UINT32" },
    [0xE63A3529] = { name = "flash_result", type = "UINT16" },
    [0x3903A5E9] = { name = "flash_rtc.flag_time_auto_switch", type = "BOOL" },
    [0x2266DCB8] = { name = "flash_rtc.rtc_mcc_quartz_max_diff", type = "FLOAT", unit = "ppm" },
    [0x4E0C56F2] = { name = "flash_rtc.rtc_mcc_quartz_ppm_difference", type = "FLOAT", unit = "ppm" },
    [0xD166D94D] = { name = "flash_rtc.time_stamp", type = "UINT32" },
    [0x7301A5A7] = { name = "flash_rtc.time_stamp_factory", type = "UINT32" },
    [0x0E0505B4] = { name = "flash_rtc.time_stamp_set", type = "UINT32" },
    [0xDD90A328] = { name = "flash_rtc.time_stamp_update", type = "UINT32" },
    [0x43F16F7E] = { name = "flash_state", type = "UINT16" },
    [0xFD72CC0D] = { name = "frt.enabled", type = "BOOL" },
    [0x89B21223] = { name = "frt.t_max[0]", type = "FLOAT", unit = "s" },
    [0xCB78F611] = { name = "frt.t_max[1]", type = "FLOAT", unit = "s" },
    [0x93971C36] = { name = "frt.t_max[2]", type = "FLOAT", unit = "s" },
    [0x9C75BD89] = { name = "frt.t_min[0]", type = "FLOAT", unit = "s" },
    [0x236D2178] = { name = "frt.t_min[1]", type = "FLOAT", unit = "s" },
    [0xE1F49459] = { name = "frt.t_min[2]", type = "FLOAT", unit = "s" },
    [0x32DCA605] = { name = "frt.u_max[0]", type = "FLOAT", unit = "V" },
    [0xD536E7E9] = { name = "frt.u_max[1]", type = "FLOAT", unit = "V" },
    [0x9350FE02] = { name = "frt.u_max[2]", type = "FLOAT", unit = "V" },
    [0x83BBEF0B] = { name = "frt.u_max_begin", type = "FLOAT", unit = "V" },
    [0x88DFDE8B] = { name = "frt.u_max_end", type = "FLOAT", unit = "V" },
    [0x41744E11] = { name = "frt.u_min[0]", type = "FLOAT", unit = "V" },
    [0xC4FA4E33] = { name = "frt.u_min[1]", type = "FLOAT", unit = "V" },
    [0x0528D1D8] = { name = "frt.u_min[2]", type = "FLOAT", unit = "V" },
    [0x71277E71] = { name = "frt.u_min_begin", type = "FLOAT", unit = "V" },
    [0x22CC80C6] = { name = "frt.u_min_end", type = "FLOAT", unit = "V" },
    [0x89EE3EB5] = { name = "g_sync.i_dr_eff[0]", type = "FLOAT", unit = "A" },
    [0x650C1ED7] = { name = "g_sync.i_dr_eff[1]", type = "FLOAT", unit = "A" },
    [0x92BC682B] = { name = "g_sync.i_dr_eff[2]", type = "FLOAT", unit = "A" },
    [0x887D43C4] = { name = "g_sync.i_dr_lp[0]", type = "FLOAT", unit = "A" },
    [0xDCAC0EA9] = { name = "g_sync.i_dr_lp[1]", type = "FLOAT", unit = "A" },
    [0x48D73FA5] = { name = "g_sync.i_dr_lp[2]", type = "FLOAT", unit = "A" },
    [0x43257820] = { name = "g_sync.p_ac[0]", type = "FLOAT", unit = "W" },
    [0x147E8E26] = { name = "g_sync.p_ac[1]", type = "FLOAT", unit = "W" },
    [0xC03462F6] = { name = "g_sync.p_ac[2]", type = "FLOAT", unit = "W" },
    [0x91617C58] = { name = "g_sync.p_ac_grid_sum_lp", type = "FLOAT", unit = "W" },
    [0x03A39CA2] = { name = "g_sync.p_ac_load[0]", type = "FLOAT", unit = "W" },
    [0x2788928C] = { name = "g_sync.p_ac_load[1]", type = "FLOAT", unit = "W" },
    [0xF0B436DD] = { name = "g_sync.p_ac_load[2]", type = "FLOAT", unit = "W" },
    [0x1AC87AA0] = { name = "g_sync.p_ac_load_sum_lp", type = "FLOAT", unit = "W" },
    [0x71E10B51] = { name = "g_sync.p_ac_lp[0]", type = "FLOAT", unit = "W" },
    [0x6E1C5B78] = { name = "g_sync.p_ac_lp[1]", type = "FLOAT", unit = "W" },
    [0xB9928C51] = { name = "g_sync.p_ac_lp[2]", type = "FLOAT", unit = "W" },
    [0x27BE51D9] = { name = "g_sync.p_ac_sc[0]", type = "FLOAT", unit = "W" },
    [0xF5584F90] = { name = "g_sync.p_ac_sc[1]", type = "FLOAT", unit = "W" },
    [0xB221BCFA] = { name = "g_sync.p_ac_sc[2]", type = "FLOAT", unit = "W" },
    [0x6002891F] = { name = "g_sync.p_ac_sc_sum", type = "FLOAT", unit = "W" },
    [0x4E49AEC5] = { name = "g_sync.p_ac_sum", type = "FLOAT", unit = "W" },
    [0xDB2D69AE] = { name = "g_sync.p_ac_sum_lp", type = "FLOAT", unit = "W" },
    [0x400F015B] = { name = "g_sync.p_acc_lp", type = "FLOAT", unit = "W" },
    [0xE94C2EFC] = { name = "g_sync.q_ac[0]", type = "FLOAT", unit = "var" },
    [0x82E3C121] = { name = "g_sync.q_ac[1]", type = "FLOAT", unit = "var" },
    [0xBCA77559] = { name = "g_sync.q_ac[2]", type = "FLOAT", unit = "var" },
    [0x7C78CBAC] = { name = "g_sync.q_ac_sum_lp", type = "FLOAT", unit = "var" },
    [0xCABC44CA] = { name = "g_sync.s_ac[0]", type = "FLOAT", unit = "VA" },
    [0x612F7EAB] = { name = "g_sync.s_ac[1]", type = "FLOAT", unit = "VA" },
    [0x55C22966] = { name = "g_sync.s_ac[2]", type = "FLOAT", unit = "VA" },
    [0x3A444FC6] = { name = "g_sync.s_ac_lp[0]", type = "FLOAT", unit = "VA" },
    [0x4077335D] = { name = "g_sync.s_ac_lp[1]", type = "FLOAT", unit = "VA" },
    [0x883DE9AB] = { name = "g_sync.s_ac_lp[2]", type = "FLOAT", unit = "VA" },
    [0xDCA1CF26] = { name = "g_sync.s_ac_sum_lp", type = "FLOAT", unit = "VA" },
    [0xCF053085] = { name = "g_sync.u_l_rms[0]", type = "FLOAT", unit = "V" },
    [0x54B4684E] = { name = "g_sync.u_l_rms[1]", type = "FLOAT", unit = "V" },
    [0x2545E22D] = { name = "g_sync.u_l_rms[2]", type = "FLOAT", unit = "V" },
    [0x63476DBE] = { name = "g_sync.u_ptp_rms[0]", type = "FLOAT", unit = "V" },
    [0x485AD749] = { name = "g_sync.u_ptp_rms[1]", type = "FLOAT", unit = "V" },
    [0xF25C339B] = { name = "g_sync.u_ptp_rms[2]", type = "FLOAT", unit = "V" },
    [0xB55BA2CE] = { name = "g_sync.u_sg_avg[0]", type = "FLOAT", unit = "V" },
    [0xB0041187] = { name = "g_sync.u_sg_avg[1]", type = "FLOAT", unit = "V" },
    [0x0A04CA7F] = { name = "g_sync.u_zk_n_avg", type = "FLOAT", unit = "V" },
    [0xC198B25B] = { name = "g_sync.u_zk_p_avg", type = "FLOAT", unit = "V" },
    [0x8A18539B] = { name = "g_sync.u_zk_sum_avg", type = "FLOAT", unit = "V" },
    [0x24150B85] = { name = "g_sync.u_zk_sum_mov_avg", type = "FLOAT", unit = "V" },
    [0x9061EA7B] = { name = "grid_lt.granularity", type = "FLOAT" },
    [0x3A3050E6] = { name = "grid_lt.threshold", type = "FLOAT", unit = "V" },
    [0xD9E721A5] = { name = "grid_lt.timeframe", type = "FLOAT", unit = "s" },
    [0xEBF7A4E8] = { name = "grid_mon[0].f_over.threshold", type = "FLOAT", unit = "Hz" },
    [0x933F9A24] = { name = "grid_mon[0].f_over.time", type = "FLOAT", unit = "s" },
    [0xA95AD038] = { name = "grid_mon[0].f_under.threshold", type = "FLOAT", unit = "Hz" },
    [0x70E28322] = { name = "grid_mon[0].f_under.time", type = "FLOAT", unit = "s" },
    [0xA6271C2E] = { name = "grid_mon[0].u_over.threshold", type = "FLOAT", unit = "V" },
    [0x016109E1] = { name = "grid_mon[0].u_over.time", type = "FLOAT", unit = "s" },
    [0x3CB1EF01] = { name = "grid_mon[0].u_under.threshold", type = "FLOAT", unit = "V" },
    [0xEF89568B] = { name = "grid_mon[0].u_under.time", type = "FLOAT", unit = "s" },
    [0x915CD4A4] = { name = "grid_mon[1].f_over.threshold", type = "FLOAT", unit = "Hz" },
    [0xFD4F17C4] = { name = "grid_mon[1].f_over.time", type = "FLOAT", unit = "s" },
    [0x3E722B43] = { name = "grid_mon[1].f_under.threshold", type = "FLOAT", unit = "Hz" },
    [0xF1FA5BB9] = { name = "grid_mon[1].f_under.time", type = "FLOAT", unit = "s" },
    [0x5438B68E] = { name = "grid_mon[1].u_over.threshold", type = "FLOAT", unit = "V" },
    [0xF09CC4A2] = { name = "grid_mon[1].u_over.time", type = "FLOAT", unit = "s" },
    [0x82CD1525] = { name = "grid_mon[1].u_under.threshold", type = "FLOAT", unit = "V" },
    [0x3044195F] = { name = "grid_mon[1].u_under.time", type = "FLOAT", unit = "s" },
    [0x2848A1EE] = { name = "grid_offset", type = "FLOAT" },
    [0x1C4A665F] = { name = "grid_pll[0].f", type = "FLOAT", unit = "Hz" },
    [0x9214A00C] = { name = "hw_test.booster_test_index", type = "UINT8" },
    [0x4E77B2CE] = { name = "hw_test.bt_cycle", type = "UINT8" },
    [0x4E2B42A4] = { name = "hw_test.bt_power[0]", type = "FLOAT", unit = "W" },
    [0xC1C82889] = { name = "hw_test.bt_power[1]", type = "FLOAT", unit = "W" },
    [0x6BFF1AF4] = { name = "hw_test.bt_power[2]", type = "FLOAT", unit = "W" },
    [0xC707102E] = { name = "hw_test.bt_power[3]", type = "FLOAT", unit = "W" },
    [0x71B70DCE] = { name = "hw_test.bt_power[4]", type = "FLOAT", unit = "W" },
    [0xB082C4D7] = { name = "hw_test.bt_power[5]", type = "FLOAT", unit = "W" },
    [0x058F1759] = { name = "hw_test.bt_power[6]", type = "FLOAT", unit = "W" },
    [0x3D789979] = { name = "hw_test.bt_power[7]", type = "FLOAT", unit = "W" },
    [0xE6248312] = { name = "hw_test.bt_power[8]", type = "FLOAT", unit = "W" },
    [0x86782D58] = { name = "hw_test.bt_power[9]", type = "FLOAT", unit = "W" },
    [0x3CA8E8D0] = { name = "hw_test.bt_time[0]", type = "FLOAT", unit = "s" },
    [0xC66A522B] = { name = "hw_test.bt_time[1]", type = "FLOAT", unit = "s" },
    [0x0875C906] = { name = "hw_test.bt_time[2]", type = "FLOAT", unit = "s" },
    [0x58378BD0] = { name = "hw_test.bt_time[3]", type = "FLOAT", unit = "s" },
    [0xC3C7325E] = { name = "hw_test.bt_time[4]", type = "FLOAT", unit = "s" },
    [0x77DD4364] = { name = "hw_test.bt_time[5]", type = "FLOAT", unit = "s" },
    [0x940569AC] = { name = "hw_test.bt_time[6]", type = "FLOAT", unit = "s" },
    [0xD4C4A941] = { name = "hw_test.bt_time[7]", type = "FLOAT", unit = "s" },
    [0x903FE89E] = { name = "hw_test.bt_time[8]", type = "FLOAT", unit = "s" },
    [0x2082BFB6] = { name = "hw_test.bt_time[9]", type = "FLOAT", unit = "s" },
    [0x75AE19ED] = { name = "hw_test.hw_switch_time", type = "FLOAT" },
    [0x039BDE11] = { name = "hw_test.state", type = "UINT8" },
    [0xCBEC8200] = { name = "hw_test.timer2", type = "FLOAT" },
    [0xC3A3F070] = { name = "i_ac_extern_connected", type = "BOOL" },
    [0xC36675D4] = { name = "i_ac_max_set", type = "FLOAT", unit = "A" },
    [0x0D658831] = { name = "i_bottom_max", type = "FLOAT" },
    [0x6C44F721] = { name = "i_dc_max", type = "FLOAT", unit = "A" },
    [0xE14B8679] = { name = "i_dc_slow_max", type = "FLOAT", unit = "A" },
    [0x7946D888] = { name = "i_dc_slow_time", type = "FLOAT", unit = "s" },
    [0x3C24F3E8] = { name = "inv_struct.cosinus_phi", type = "FLOAT", unit = "cos(Phi)" },
    [0x7940547B] = { name = "inv_struct.force_dh", type = "BOOL" },
    [0x7924ABD9] = { name = "inverter_sn", type = "STRING" },
    [0x5EE03C45] = { name = "io_board.alarm_home_relay_mode", type = "ENUM", labels = { [0] = "Not used", [1] = "Alarm", [2] = "Load" } },
    [0xF42D4DD0] = { name = "io_board.alarm_home_value", type = "ENUM", labels = { [0] = "Pgrid", [1] = "Pgrid + Pbat charge" } },
    [0x0FB40090] = { name = "io_board.check_rs485_result", type = "UINT8" },
    [0x1B5445C4] = { name = "io_board.check_rse_result", type = "UINT16" },
    [0xFA7DB323] = { name = "io_board.check_s0_result", type = "UINT16" },
    [0xA3393749] = { name = "io_board.check_start", type = "UINT8" },
    [0x58C1A946] = { name = "io_board.check_state", type = "UINT8" },
    [0xE52B89FA] = { name = "io_board.home_relay_off_threshold", type = "FLOAT", unit = "W" },
    [0x2E0C6220] = { name = "io_board.home_relay_sw_off_delay", type = "FLOAT", unit = "s" },
    [0x7689BE6A] = { name = "io_board.home_relay_sw_on_delay", type = "FLOAT", unit = "s" },
    [0xBCC6F92F] = { name = "io_board.home_relay_threshold", type = "FLOAT", unit = "W" },
    [0x0DF45696] = { name = "io_board.io1_polarity", type = "BOOL" },
    [0x5BD2DB45] = { name = "io_board.io1_s0_imp_per_kwh", type = "INT16" },
    [0xAACE057A] = { name = "io_board.io1_s0_min_duration", type = "FLOAT", unit = "s" },
    [0x90F123FA] = { name = "io_board.io1_usage", type = "ENUM", labels = { [0] = "I/O not used", [1] = "Input S0 grid power consumption", [2] = "Input S0 grid power feed-in", [3] = "Input S0 household power", [4] = "Output S0 inverter power", [5] = "Input level switch", [6] = "Input emergency turn off", [7] = "Output S0 grid power feed-in", [8] = "Output S0 household power", [9] = "Output S0 solar power", [10] = "Input S0 external power" } },
    [0x7C556C7A] = { name = "io_board.io2_polarity", type = "BOOL" },
    [0x68BA92E1] = { name = "io_board.io2_s0_imp_per_kwh", type = "INT16" },
    [0xCB1B3B10] = { name = "io_board.io2_s0_min_duration", type = "FLOAT", unit = "s" },
    [0x4F330E08] = { name = "io_board.io2_usage", type = "ENUM", labels = { [0] = "I/O not used", [1] = "Input S0 grid power consumption", [2] = "Input S0 grid power feed-in", [3] = "Input S0 household power", [4] = "Output S0 inverter power", [5] = "Input level switch", [6] = "Input emergency turn off", [7] = "Output S0 grid power feed-in", [8] = "Output S0 household power", [9] = "Output S0 solar power", [10] = "Input S0 external power" } },
    [0x872F380B] = { name = "io_board.load_set", type = "FLOAT", unit = "W" },
    [0xDAC7DD86] = { name = "io_board.p_rse_desc_grad", type = "FLOAT", unit = "P/Pn/s" },
    [0xBBE6B9DF] = { name = "io_board.p_rse_rise_grad", type = "FLOAT", unit = "P/Pn/s" },
    [0x88F36D45] = { name = "io_board.rse_data", type = "UINT8" },
    [0x8320B84C] = { name = "io_board.rse_data_delay", type = "FLOAT", unit = "s" },
    [0x0E799A56] = { name = "io_board.rse_table[0]", type = "FLOAT", unit = "ratio" },
    [0x29CA60F8] = { name = "io_board.rse_table[10]", type = "FLOAT", unit = "ratio" },
    [0xB851FA70] = { name = "io_board.rse_table[11]", type = "FLOAT", unit = "ratio" },
    [0x54DBC202] = { name = "io_board.rse_table[12]", type = "FLOAT", unit = "ratio" },
    [0xD45913EC] = { name = "io_board.rse_table[13]", type = "FLOAT", unit = "ratio" },
    [0x664A1326] = { name = "io_board.rse_table[14]", type = "FLOAT", unit = "ratio" },
    [0x88C9707B] = { name = "io_board.rse_table[15]", type = "FLOAT", unit = "ratio" },
    [0x6C2D00E4] = { name = "io_board.rse_table[1]", type = "FLOAT", unit = "ratio" },
    [0x5867B3BE] = { name = "io_board.rse_table[2]", type = "FLOAT", unit = "ratio" },
    [0xBDFE5547] = { name = "io_board.rse_table[3]", type = "FLOAT", unit = "ratio" },
    [0x98ACC1B8] = { name = "io_board.rse_table[4]", type = "FLOAT", unit = "ratio" },
    [0xAC2E2A56] = { name = "io_board.rse_table[5]", type = "FLOAT", unit = "ratio" },
    [0x3DBCC6B4] = { name = "io_board.rse_table[6]", type = "FLOAT", unit = "ratio" },
    [0x9B92023F] = { name = "io_board.rse_table[7]", type = "FLOAT", unit = "ratio" },
    [0x3C705F61] = { name = "io_board.rse_table[8]", type = "FLOAT", unit = "ratio" },
    [0x6830F6E4] = { name = "io_board.rse_table[9]", type = "FLOAT", unit = "ratio" },
    [0x792A7B79] = { name = "io_board.s0_direction", type = "ENUM", labels = { [0] = "I/O 1 & I/O 2 single", [1] = "I/O 1 bidirectional", [2] = "I/O 2 bidirectional" } },
    [0xE96F1844] = { name = "io_board.s0_external_power", type = "FLOAT", unit = "W" },
    [0xC7605E16] = { name = "io_board.s0_sum", type = "FLOAT" },
    [0xC717D1FB] = { name = "iso_struct.Riso", type = "FLOAT", unit = "Ohm" },
    [0x474F80D5] = { name = "iso_struct.Rn", type = "FLOAT", unit = "Ohm" },
    [0x8E41FC47] = { name = "iso_struct.Rp", type = "FLOAT", unit = "Ohm" },
    [0x777DC0EB] = { name = "iso_struct.r_min", type = "FLOAT", unit = "Ohm" },
    [0xB238942F] = { name = "last_successfull_flash_op", type = "INT16" },
    [0xA1266D6B] = { name = "line_mon.time_lim", type = "FLOAT", unit = "s" },
    [0x6BBDC7C8] = { name = "line_mon.u_max", type = "FLOAT", unit = "V" },
    [0x8D8E19F7] = { name = "line_mon.u_min", type = "FLOAT", unit = "V" },
    [0xA305214D] = { name = "logger.buffer", type = "UNKNOWN" },
    [0xFCF4E78D] = { name = "logger.day_ea_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0xE04C3900] = { name = "logger.day_eac_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x0DF164DE] = { name = "logger.day_eb_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x60A9A532] = { name = "logger.day_eext_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0xB20D1AD6] = { name = "logger.day_egrid_feed_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x05C7CFB1] = { name = "logger.day_egrid_load_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0xCA6D6472] = { name = "logger.day_eload_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x6F3876BC] = { name = "logger.error_log_time_stamp", type = "EVENT_TABLE" },
    [0x9A51A23B] = { name = "logger.log_rate", type = "UINT16", unit = "s" },
    [0x50B441C1] = { name = "logger.minutes_ea_log_ts", type = "TIMESERIES", unit = "W" },
    [0x21879805] = { name = "logger.minutes_eac1_log_ts", type = "TIMESERIES", unit = "W" },
    [0x554D8FEE] = { name = "logger.minutes_eac2_log_ts", type = "TIMESERIES", unit = "W" },
    [0xE29C24EB] = { name = "logger.minutes_eac3_log_ts", type = "TIMESERIES", unit = "W" },
    [0x669D02FE] = { name = "logger.minutes_eac_log_ts", type = "TIMESERIES", unit = "W" },
    [0x1D49380A] = { name = "logger.minutes_eb_log_ts", type = "TIMESERIES", unit = "W" },
    [0xCBDAD315] = { name = "logger.minutes_ebat_log_ts", type = "TIMESERIES", unit = "W" },
    [0x3906A1D0] = { name = "logger.minutes_eext_log_ts", type = "TIMESERIES", unit = "W" },
    [0xA60082A9] = { name = "logger.minutes_egrid_feed_log_ts", type = "TIMESERIES", unit = "W" },
    [0x9247DB99] = { name = "logger.minutes_egrid_load_log_ts", type = "TIMESERIES", unit = "W" },
    [0xA7C708EB] = { name = "logger.minutes_eload_log_ts", type = "TIMESERIES", unit = "W" },
    [0x5293B668] = { name = "logger.minutes_soc_log_ts", type = "TIMESERIES", unit = "ratio" },
    [0x76C9A0BD] = { name = "logger.minutes_soc_targ_log_ts", type = "TIMESERIES", unit = "ratio" },
    [0x132AA71E] = { name = "logger.minutes_temp2_log_ts", type = "TIMESERIES", unit = "°C" },
    [0xD3E94E6B] = { name = "logger.minutes_temp_bat_log_ts", type = "TIMESERIES", unit = "°C" },
    [0xF76DE445] = { name = "logger.minutes_temp_log_ts", type = "TIMESERIES", unit = "°C" },
    [0x72ACC0BF] = { name = "logger.minutes_ua_log_ts", type = "TIMESERIES", unit = "V" },
    [0x0FA29566] = { name = "logger.minutes_ub_log_ts", type = "TIMESERIES", unit = "V" },
    [0x064E4340] = { name = "logger.minutes_ubat_log_ts", type = "TIMESERIES", unit = "V" },
    [0x5411CE1B] = { name = "logger.minutes_ul1_log_ts", type = "TIMESERIES", unit = "V" },
    [0x488052BA] = { name = "logger.minutes_ul2_log_ts", type = "TIMESERIES", unit = "V" },
    [0x095AFAA8] = { name = "logger.minutes_ul3_log_ts", type = "TIMESERIES", unit = "V" },
    [0x2F0A6B15] = { name = "logger.month_ea_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0xF28341E2] = { name = "logger.month_eac_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x6B5A56C2] = { name = "logger.month_eb_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0xE4DC040A] = { name = "logger.month_eext_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x921997EE] = { name = "logger.month_egrid_feed_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x5D34D09D] = { name = "logger.month_egrid_load_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x431509D1] = { name = "logger.month_eload_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x4C14CC7C] = { name = "logger.year_ea_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x70BD7C46] = { name = "logger.year_eac_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x34ECA9CA] = { name = "logger.year_eb_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x4E9D95A6] = { name = "logger.year_eext_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x19B814F2] = { name = "logger.year_egrid_feed_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0xC55EF32E] = { name = "logger.year_egrid_load_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0xE5FBCC6F] = { name = "logger.year_eload_log_ts", type = "TIMESERIES", unit = "Wh" },
    [0x2A449E89] = { name = "logger.year_log_ts", type = "TIMESERIES" },
    [0x108FC93D] = { name = "max_phase_shift", type = "FLOAT", unit = "degrees" },
    [0x6C243F71] = { name = "modbus.address", type = "UINT8" },
    [0x31ED1B75] = { name = "modbus.mode", type = "ENUM", labels = { [0] = "Modbus slave", [1] = "Modbus master" } },
    [0x23F525DE] = { name = "net.command", type = "UINT16" },
    [0x08679611] = { name = "net.id", type = "UINT32" },
    [0x3500F1E8] = { name = "net.index", type = "INT8" },
    [0x0C3815C2] = { name = "net.load_reduction", type = "FLOAT", unit = "ratio" },
    [0x6DCC4097] = { name = "net.master_timeout", type = "FLOAT" },
    [0x46635546] = { name = "net.n_descendants", type = "INT8" },
    [0xDB62DCB7] = { name = "net.n_devices", type = "UINT8" },
    [0xBFFF3CAD] = { name = "net.n_slaves", type = "UINT8" },
    [0x2E06172D] = { name = "net.net_tunnel_id", type = "UINT32" },
    [0x3AA565FC] = { name = "net.package", type = "UNKNOWN" },
    [0x36214C57] = { name = "net.prev_k", type = "FLOAT" },
    [0xC0A7074F] = { name = "net.slave_data", type = "UNKNOWN" },
    [0x67C0A2F5] = { name = "net.slave_p_total", type = "FLOAT", unit = "W" },
    [0xD5205A45] = { name = "net.slave_timeout", type = "FLOAT" },
    [0xD3085D80] = { name = "net.soc_av", type = "FLOAT", unit = "ratio" },
    [0x5E540FB2] = { name = "net.update_slaves", type = "BOOL" },
    [0x5D1B0835] = { name = "net.use_network_filter", type = "BOOL" },
    [0xCB9E1E6C] = { name = "nsm.Q_const", type = "FLOAT", unit = "var" },
    [0x7232F7AF] = { name = "nsm.apm", type = "ENUM", labels = { [0] = "Off", [1] = "P(f)" } },
    [0xB76E2B4C] = { name = "nsm.cos_phi_const", type = "FLOAT", unit = "cos(Phi)" },
    [0x83A5333A] = { name = "nsm.cos_phi_p[0][0]", type = "FLOAT", unit = "P/Pn" },
    [0x32CD0DB3] = { name = "nsm.cos_phi_p[0][1]", type = "FLOAT", unit = "cos(Phi)" },
    [0x26260419] = { name = "nsm.cos_phi_p[1][0]", type = "FLOAT", unit = "P/Pn" },
    [0x4397D078] = { name = "nsm.cos_phi_p[1][1]", type = "FLOAT", unit = "cos(Phi)" },
    [0x9680077F] = { name = "nsm.cos_phi_p[2][0]", type = "FLOAT", unit = "P/Pn" },
    [0x4C2A7CDC] = { name = "nsm.cos_phi_p[2][1]", type = "FLOAT", unit = "cos(Phi)" },
    [0xF25591AA] = { name = "nsm.cos_phi_p[3][0]", type = "FLOAT", unit = "P/Pn" },
    [0x10842019] = { name = "nsm.cos_phi_p[3][1]", type = "FLOAT", unit = "cos(Phi)" },
    [0x71465EAF] = { name = "nsm.cos_phi_ts", type = "FLOAT", unit = "s" },
    [0xF6A85818] = { name = "nsm.f_entry", type = "FLOAT", unit = "Hz" },
    [0x93E6918D] = { name = "nsm.f_exit", type = "FLOAT", unit = "Hz" },
    [0x04EAAA98] = { name = "nsm.f_low_entry", type = "FLOAT", unit = "Hz" },
    [0x8D33B6BC] = { name = "nsm.f_low_exit", type = "FLOAT", unit = "Hz" },
    [0xFAA837C8] = { name = "nsm.f_low_rise_grad", type = "FLOAT", unit = "1/Pn*Hz" },
    [0x38789061] = { name = "nsm.f_low_rise_grad_storage", type = "FLOAT", unit = "1/Pn*Hz" },
    [0xB98C8194] = { name = "nsm.min_cos_phi", type = "FLOAT", unit = "cos(Phi)" },
    [0xF2405AC6] = { name = "nsm.p_limit", type = "FLOAT", unit = "W" },
    [0x53EF7649] = { name = "nsm.p_u[0][0]", type = "FLOAT" },
    [0x33F76B78] = { name = "nsm.p_u[0][1]", type = "FLOAT", unit = "V" },
    [0x7A5C91F8] = { name = "nsm.p_u[1][0]", type = "FLOAT" },
    [0xEB7773BF] = { name = "nsm.p_u[1][1]", type = "FLOAT", unit = "V" },
    [0xA5044DCD] = { name = "nsm.p_u[2][0]", type = "FLOAT", unit = "P/Pn" },
    [0xF49F58F2] = { name = "nsm.p_u[2][1]", type = "FLOAT", unit = "V" },
    [0x4A61BAEE] = { name = "nsm.p_u[3][0]", type = "FLOAT", unit = "P/Pn" },
    [0x3515F4A0] = { name = "nsm.p_u[3][1]", type = "FLOAT", unit = "V" },
    [0x43CD0B6F] = { name = "nsm.pf_delay", type = "FLOAT", unit = "s" },
    [0xD884AF95] = { name = "nsm.pf_desc_grad", type = "FLOAT", unit = "P/(Pn*s)" },
    [0xEE049B1F] = { name = "nsm.pf_hysteresis", type = "BOOL" },
    [0xE49BE3ED] = { name = "nsm.pf_rise_grad", type = "FLOAT", unit = "P/(Pn*s)" },
    [0xF3FD6C4C] = { name = "nsm.pf_use_p_max", type = "BOOL" },
    [0x7AF779C1] = { name = "nsm.pu_mode", type = "BOOL" },
    [0xE6F1CB83] = { name = "nsm.pu_ts", type = "FLOAT", unit = "s" },
    [0x81AF854E] = { name = "nsm.pu_use", type = "BOOL" },
    [0xA33D0954] = { name = "nsm.q_u_hysteresis", type = "BOOL" },
    [0x88DEBCFE] = { name = "nsm.q_u_max_u_high", type = "FLOAT", unit = "var" },
    [0x7E75B17A] = { name = "nsm.q_u_max_u_high_rel", type = "FLOAT" },
    [0xCCB51399] = { name = "nsm.q_u_max_u_low", type = "FLOAT", unit = "var" },
    [0xE952FF2D] = { name = "nsm.q_u_max_u_low_rel", type = "FLOAT" },
    [0xC07E02CE] = { name = "nsm.q_u_sel", type = "ENUM" },
    [0xC3352B17] = { name = "nsm.rpm", type = "ENUM", labels = { [0] = "Off", [1] = "Const cos(phi)", [2] = "Const Q", [3] = "cos(phi)(P)", [4] = "Q(U)" } },
    [0xFCC39293] = { name = "nsm.rpm_lock_in_power", type = "FLOAT", unit = "P/Pn" },
    [0x14FCA232] = { name = "nsm.rpm_lock_out_power", type = "FLOAT", unit = "P/Pn" },
    [0x360BDE8A] = { name = "nsm.startup_grad", type = "FLOAT", unit = "P/(Pn*s)" },
    [0x4C374958] = { name = "nsm.startup_grad_after_fault", type = "FLOAT", unit = "P/(Pn*s)" },
    [0xD580567B] = { name = "nsm.u_lock_in", type = "FLOAT", unit = "V" },
    [0xC46E9CA4] = { name = "nsm.u_lock_out", type = "FLOAT", unit = "V" },
    [0x1089ACA9] = { name = "nsm.u_q_u[0]", type = "FLOAT", unit = "V" },
    [0xBB617E51] = { name = "nsm.u_q_u[1]", type = "FLOAT", unit = "V" },
    [0xE271C6D2] = { name = "nsm.u_q_u[2]", type = "FLOAT", unit = "V" },
    [0x0CBA34B9] = { name = "nsm.u_q_u[3]", type = "FLOAT", unit = "V" },
    [0xB1D1BE71] = { name = "osci_struct.cmd_response_time", type = "FLOAT" },
    [0xDABD323E] = { name = "osci_struct.error", type = "INT16" },
    [0xF2BE0C9C] = { name = "p_buf_available", type = "FLOAT", unit = "W" },
    [0xB45FE275] = { name = "p_rec_available[0]", type = "FLOAT", unit = "W" },
    [0x8F0FF9F3] = { name = "p_rec_available[1]", type = "FLOAT", unit = "W" },
    [0x5D0CDCF0] = { name = "p_rec_available[2]", type = "FLOAT", unit = "W" },
    [0x85886E2E] = { name = "p_rec_lim[0]", type = "FLOAT", unit = "W" },
    [0x54829753] = { name = "p_rec_lim[1]", type = "FLOAT", unit = "W" },
    [0x9A67600D] = { name = "p_rec_lim[2]", type = "FLOAT", unit = "W" },
    [0x1ABA3EE8] = { name = "p_rec_req[0]", type = "FLOAT", unit = "W" },
    [0x0AA372CE] = { name = "p_rec_req[1]", type = "FLOAT", unit = "W" },
    [0x365D12DA] = { name = "p_rec_req[2]", type = "FLOAT", unit = "W" },
    [0x68BC034D] = { name = "parameter_file", type = "STRING" },
    [0xF03133E2] = { name = "partition[0].last_id", type = "INT32" },
    [0x16ED8F8F] = { name = "partition[1].last_id", type = "INT32" },
    [0x7AE87E39] = { name = "partition[2].last_id", type = "INT32" },
    [0x19608C98] = { name = "partition[3].last_id", type = "INT32" },
    [0xD5567470] = { name = "partition[4].last_id", type = "INT32" },
    [0x7C0827C5] = { name = "partition[5].last_id", type = "INT32" },
    [0xC3DD7850] = { name = "partition[6].last_id", type = "INT32" },
    [0x9C8FE559] = { name = "pas.period", type = "UINT32", unit = "s" },
    [0x27EC8487] = { name = "performance_free[0]", type = "UINT32" },
    [0x4E3CB7F8] = { name = "phase_3_mode", type = "BOOL" },
    [0xA12E9B43] = { name = "phase_marker", type = "INT16" },
    [0xE6AC95E5] = { name = "phase_shift_threshold", type = "UINT32" },
    [0xFBD94C1F] = { name = "power_mng.amp_hours", type = "FLOAT", unit = "Ah" },
    [0xE9BBF6E4] = { name = "power_mng.amp_hours_measured", type = "FLOAT", unit = "Ah" },
    [0x672552DC] = { name = "power_mng.bat_calib_days_in_advance", type = "UINT8" },
    [0x93C0C2E2] = { name = "power_mng.bat_calib_reqularity", type = "UINT32", unit = "days" },
    [0x315D1490] = { name = "power_mng.bat_empty_full", type = "UINT8" },
    [0xB6623608] = { name = "power_mng.bat_next_calib_date", type = "UINT32" },
    [0x1156DFD0] = { name = "power_mng.battery_power", type = "FLOAT", unit = "W" },
    [0xBD008E29] = { name = "power_mng.battery_power_extern", type = "FLOAT", unit = "W" },
    [0x682CDDA1] = { name = "power_mng.battery_type", type = "ENUM", labels = { [0] = "Lead-acid Powerfit", [1] = "Li-Ion Akesol", [2] = "Laukner", [3] = "Li-Ion RCT Power", [4] = "Li-Ion Zach", [5] = "No battery", [6] = "Power loop 200 V", [7] = "BYD D-BOX H" } },
    [0xF393B7B0] = { name = "power_mng.calib_charge_power", type = "FLOAT", unit = "W" },
    [0x9F52F968] = { name = "power_mng.feed_asymmetrical", type = "BOOL" },
    [0xC7459513] = { name = "power_mng.force_inv_class", type = "ENUM", labels = { [0] = "take from serial number", [1] = "power inverter", [2] = "power storage" } },
    [0x97E203F9] = { name = "power_mng.is_grid", type = "BOOL" },
    [0x5B10CE81] = { name = "power_mng.is_heiphoss", type = "UINT8" },
    [0xC9900716] = { name = "power_mng.is_island_only", type = "BOOL" },
    [0x59358EB2] = { name = "power_mng.maximum_charge_voltage", type = "FLOAT", unit = "V" },
    [0xAEF76FA1] = { name = "power_mng.minimum_discharge_voltage", type = "FLOAT", unit = "V" },
    [0xA95EE214] = { name = "power_mng.model.bat_power_change", type = "FLOAT" },
    [0x663F1452] = { name = "power_mng.n_batteries", type = "UINT8" },
    [0x99EE89CB] = { name = "power_mng.power_lim_src_index", type = "ENUM" },
    [0x011F41DB] = { name = "power_mng.schedule[0]", type = "UNKNOWN" },
    [0xE24B00BD] = { name = "power_mng.schedule[1]", type = "UNKNOWN" },
    [0x15AB1A61] = { name = "power_mng.schedule[2]", type = "UNKNOWN" },
    [0x6599E3D3] = { name = "power_mng.schedule[3]", type = "UNKNOWN" },
    [0x592B13DF] = { name = "power_mng.schedule[4]", type = "UNKNOWN" },
    [0x9A33F9B7] = { name = "power_mng.schedule[5]", type = "UNKNOWN" },
    [0x40B07CA4] = { name = "power_mng.schedule[6]", type = "UNKNOWN" },
    [0xF52C0B50] = { name = "power_mng.schedule[7]", type = "UNKNOWN" },
    [0x47A1DACA] = { name = "power_mng.schedule[8]", type = "UNKNOWN" },
    [0x7AF0AD03] = { name = "power_mng.schedule[9]", type = "UNKNOWN" },
    [0xBD3A23C3] = { name = "power_mng.soc_charge", type = "FLOAT", unit = "ratio" },
    [0x1D2994EA] = { name = "power_mng.soc_charge_power", type = "FLOAT", unit = "W" },
    [0x97997C93] = { name = "power_mng.soc_max", type = "FLOAT", unit = "ratio" },
    [0xCE266F0F] = { name = "power_mng.soc_min", type = "FLOAT", unit = "ratio" },
    [0x8EBF9574] = { name = "power_mng.soc_min_island", type = "FLOAT", unit = "ratio" },
    [0xF168B748] = { name = "power_mng.soc_strategy", type = "ENUM", labels = { [0] = "SOC target = SOC", [1] = "Constant", [2] = "External", [3] = "Middle battery voltage", [4] = "Internal", [5] = "Schedule" } },
    [0xD1DFC969] = { name = "power_mng.soc_target_set", type = "FLOAT", unit = "ratio" },
    [0xDC667958] = { name = "power_mng.state", type = "UINT8" },
    [0xD197CBE0] = { name = "power_mng.stop_charge_current", type = "FLOAT", unit = "A" },
    [0xF1342795] = { name = "power_mng.stop_discharge_current", type = "FLOAT", unit = "A" },
    [0x972B3029] = { name = "power_mng.stop_discharge_voltage_buffer", type = "FLOAT", unit = "V" },
    [0x97E3A6F2] = { name = "power_mng.u_acc_lp", type = "FLOAT", unit = "V" },
    [0xA7FA5C5D] = { name = "power_mng.u_acc_mix_lp", type = "FLOAT", unit = "V" },
    [0x36A9E9A6] = { name = "power_mng.use_grid_power_enable", type = "BOOL" },
    [0x3E728842] = { name = "power_spring_bat", type = "FLOAT" },
    [0xA9CF517D] = { name = "power_spring_down", type = "FLOAT" },
    [0x494FE156] = { name = "power_spring_offset", type = "FLOAT" },
    [0x3A0EA5BE] = { name = "power_spring_up", type = "FLOAT" },
    [0xE31F8B17] = { name = "prim_sm.Uzk_pump_grad[0]", type = "FLOAT", unit = "W" },
    [0x3AFEF139] = { name = "prim_sm.is_thin_layer", type = "BOOL" },
    [0x3623D82A] = { name = "prim_sm.island_flag", type = "UINT16", bits = { [0] = "separated from the grid" } },
    [0x73E3ED49] = { name = "prim_sm.island_max_trials", type = "UINT16" },
    [0x20FD4419] = { name = "prim_sm.island_next_repeat_timeout", type = "FLOAT", unit = "s" },
    [0x5151D84C] = { name = "prim_sm.island_reset_retrials_counter_time", type = "FLOAT", unit = "min" },
    [0x751E80CA] = { name = "prim_sm.island_reset_retrials_operation_time", type = "FLOAT" },
    [0xC4D87E96] = { name = "prim_sm.island_retrials", type = "UINT16" },
    [0xFB5DE9C5] = { name = "prim_sm.minigrid_flag", type = "BOOL" },
    [0xCF005C54] = { name = "prim_sm.phase_3_mode", type = "BOOL" },
    [0x5F33284E] = { name = "prim_sm.state", type = "ENUM", labels = { [0] = "Standby", [1] = "Initialization", [2] = "Standby", [3] = "Efficiency (debug state)", [4] = "Insulation check", [5] = "Island check (decide if grid or island mode)", [6] = "Power check (check if enough energy is available to start)", [7] = "Symmetry (DC link alignment)", [8] = "Relais test", [9] = "Grid passive (inverter has power from the grid, not synchronized", [10] = "Prepare Bat Passive", [11] = "Battery Passive (inverter not connected to grid, powered by battery)", [12] = "H/W check (start-preparation)", [13] = "Feed in" } },
    [0xC40D5688] = { name = "prim_sm.state_source", type = "UINT32" },
    [0x437B8122] = { name = "rb485.available", type = "BOOL" },
    [0x9558AD8A] = { name = "rb485.f_grid[0]", type = "FLOAT", unit = "Hz" },
    [0xFAE429C5] = { name = "rb485.f_grid[1]", type = "FLOAT", unit = "Hz" },
    [0x0104EB6A] = { name = "rb485.f_grid[2]", type = "FLOAT", unit = "Hz" },
    [0x3B5F6B9D] = { name = "rb485.f_wr[0]", type = "FLOAT", unit = "Hz" },
    [0x6FD36B32] = { name = "rb485.f_wr[1]", type = "FLOAT", unit = "Hz" },
    [0x905F707B] = { name = "rb485.f_wr[2]", type = "FLOAT", unit = "Hz" },
    [0x07367B64] = { name = "rb485.phase_marker", type = "INT16" },
    [0x93F976AB] = { name = "rb485.u_l_grid[0]", type = "FLOAT", unit = "V" },
    [0x7A9091EA] = { name = "rb485.u_l_grid[1]", type = "FLOAT", unit = "V" },
    [0x21EE7CBB] = { name = "rb485.u_l_grid[2]", type = "FLOAT", unit = "V" },
    [0x173D81E4] = { name = "rb485.version_boot", type = "UINT32" },
    [0x27650FE2] = { name = "rb485.version_main", type = "UINT32" },
    [0xA76AE9CA] = { name = "relays.bits_real", type = "UINT16" },
    [0xDDD1C2D0] = { name = "svnversion", type = "STRING" },
    [0xBF9B6042] = { name = "svnversion_factory", type = "STRING" },
    [0x929394B7] = { name = "svnversion_last_known", type = "STRING" },
    [0x4DB1B91E] = { name = "switch_on_cond.f_max", type = "FLOAT", unit = "Hz" },
    [0x234DD4DF] = { name = "switch_on_cond.f_min", type = "FLOAT", unit = "Hz" },
    [0x362346D4] = { name = "switch_on_cond.max_rnd_test_time_fault", type = "FLOAT", unit = "s" },
    [0xECABB6CF] = { name = "switch_on_cond.test_time", type = "FLOAT", unit = "s" },
    [0x3390CC2F] = { name = "switch_on_cond.test_time_fault", type = "FLOAT", unit = "s" },
    [0x934E64E9] = { name = "switch_on_cond.u_max", type = "FLOAT", unit = "V" },
    [0x1FEB2F67] = { name = "switch_on_cond.u_min", type = "FLOAT", unit = "V" },
    [0xA7447FC4] = { name = "temperature.bat_temp_power_reduction", type = "FLOAT", unit = "°C" },
    [0x90B53336] = { name = "temperature.sink_temp_power_reduction", type = "FLOAT", unit = "°C" },
    [0x4992E65A] = { name = "update_is_allowed_id", type = "UINT8" },
    [0x57429627] = { name = "wifi.authentication_method", type = "STRING" },
    [0x907CD1DF] = { name = "wifi.connect_service_max_duration", type = "INT32", unit = "s" },
    [0xB7FEA209] = { name = "wifi.connect_service_timestamp", type = "INT32" },
    [0x392D1BEE] = { name = "wifi.connect_to_server", type = "UINT8" },
    [0x53886C09] = { name = "wifi.connect_to_service", type = "UINT8" },
    [0x5673D737] = { name = "wifi.connect_to_wifi", type = "BOOL" },
    [0xF8DECCE6] = { name = "wifi.connected_ap_ssid", type = "STRING" },
    [0x1D0623D6] = { name = "wifi.dns_address", type = "STRING" },
    [0x76CAA9BF] = { name = "wifi.encryption_algorithm", type = "STRING" },
    [0x7B1F7FBE] = { name = "wifi.gateway", type = "STRING" },
    [0x06E03755] = { name = "wifi.ip", type = "STRING" },
    [0x5952E5E6] = { name = "wifi.mask", type = "STRING" },
    [0x5A316247] = { name = "wifi.mode", type = "STRING" },
    [0x14C0E627] = { name = "wifi.password", type = "STRING" },
    [0x8CA00014] = { name = "wifi.result", type = "INT8" },
    [0xFF2A258B] = { name = "wifi.server_ip", type = "STRING" },
    [0xD83DC6AC] = { name = "wifi.server_port", type = "INT32" },
    [0xF9FD0D61] = { name = "wifi.service_ip", type = "STRING" },
    [0xA1D2B565] = { name = "wifi.service_port", type = "INT32" },
    [0x7DDE352B] = { name = "wifi.sockb_ip", type = "STRING" },
    [0x6D7C0BF4] = { name = "wifi.sockb_port", type = "INT32" },
    [0x0BA16A10] = { name = "wifi.sockb_protocol", type = "ENUM", labels = { [0] = "standalone", [1] = "master", [2] = "slave" } },
    [0xB4222BDE] = { name = "wifi.state", type = "UINT8" },
    [0xB7C85C51] = { name = "wifi.use_ethernet", type = "BOOL" },
    [0xD5790CE1] = { name = "wifi.use_wifi", type = "BOOL" },
}
EVENTS = {
    [0] = "trap",
    [1] = "RTC cannot be configured",
    [2] = "RTC 1 Hz signal timeout",
    [3] = "hardware stop: 3.3 V supply",
    [4] = "hardware stop: PWM logic",
    [5] = "hardware stop: DC link overvoltage",
    [6] = "DC link + above limit",
    [7] = "DC link - above limit",
    [8] = "choke overcurrent L1",
    [9] = "choke overcurrent L2",
    [10] = "choke overcurrent L3",
    [11] = "buffer capacitor voltage",
    [12] = "quartz fault",
    [13] = "grid undervoltage L1",
    [14] = "grid undervoltage L2",
    [15] = "grid undervoltage L3",
    [16] = "battery overcurrent",
    [17] = "relay test failed",
    [18] = "board overtemperature",
    [19] = "core overtemperature",
    [20] = "heat sink 1 overtemperature",
    [21] = "heat sink 2 overtemperature",
    [22] = "I2C to power board",
    [23] = "power board fault",
    [24] = "PWM outputs defective",
    [25] = "insulation too low or implausible",
    [26] = "DC current component (1 A)",
    [27] = "DC current component slow (47 mA)",
    [28] = "DSD channel offset",
    [29] = "RS485 to relay box",
    [30] = "phase-to-phase overvoltage",
    [31] = "IGBT L1 high",
    [32] = "IGBT L1 low",
    [33] = "IGBT L2 high",
    [34] = "IGBT L2 low",
    [35] = "IGBT L3 high",
    [36] = "IGBT L3 low",
    [37] = "long-term overvoltage L1",
    [38] = "long-term overvoltage L2",
    [39] = "long-term overvoltage L3",
    [40] = "overvoltage L1 level 1",
    [41] = "overvoltage L1 level 2",
    [42] = "overvoltage L2 level 1",
    [43] = "overvoltage L2 level 2",
    [44] = "overvoltage L3 level 1",
    [45] = "overvoltage L3 level 2",
    [46] = "overfrequency level 1",
    [47] = "overfrequency level 2",
    [48] = "undervoltage L1 level 1",
    [49] = "undervoltage L1 level 2",
    [50] = "undervoltage L2 level 1",
    [51] = "undervoltage L2 level 2",
    [52] = "undervoltage L3 level 1",
    [53] = "undervoltage L3 level 2",
    [54] = "underfrequency level 1",
    [55] = "underfrequency level 2",
    [56] = "CPU NMI",
    [57] = "HardFault",
    [58] = "MemManage",
    [59] = "BusFault",
    [60] = "UsageFault",
    [61] = "RTC power-on reset",
    [62] = "RTC oscillation stopped",
    [63] = "RTC supply drop",
    [64] = "RCD jump DC+AC > 30 mA",
    [65] = "RCD jump DC > 60 mA",
    [66] = "RCD jump AC > 150 mA",
    [67] = "RCD > 300 mA",
    [68] = "+5 V supply wrong",
    [69] = "-9 V supply wrong",
    [70] = "+9 V supply wrong",
    [71] = "+3.3 V supply wrong",
    [72] = "RDC calibration",
    [73] = "I2C bus",
    [74] = "AFI frequency generator",
    [75] = "heat sink too hot",
    [76] = "DC link over limit",
    [77] = "solar generator A voltage over limit",
    [78] = "solar generator B voltage over limit",
    [79] = "switch-on condition Umin L1",
    [80] = "switch-on condition Umax L1",
    [81] = "switch-on Fmin L1",
    [82] = "switch-on Fmax L1",
    [83] = "switch-on Umin L2",
    [84] = "switch-on Umax L2",
    [85] = "battery current sensor",
    [86] = "battery booster",
    [87] = "switch-on Umin L3",
    [88] = "switch-on Umax L3",
    [89] = "surge or phase failure",
    [90] = "disconnected from the household grid",
    [91] = "+9 V differs DSP/PIC",
    [92] = "1.5 V reference wrong",
    [93] = "2.5 V reference wrong",
    [94] = "1.5 V reference differs",
    [95] = "2.5 V reference differs",
    [96] = "battery voltage out of range",
    [97] = "main PIC does not start",
    [98] = "PIC bootloader unexpected",
    [99] = "phase position (not 120°)",
    [100] = "battery overvoltage",
    [101] = "choke current unstable",
    [102] = "grid voltage internal/external differ L1",
    [103] = "grid voltage internal/external differ L2",
    [104] = "grid voltage internal/external differ L3",
    [105] = "external emergency off",
    [106] = "battery empty",
    [107] = "CAN timeout with battery",
    [108] = "timing fault",
    [109] = "battery IGBT heat sink",
    [110] = "battery heat sink",
    [111] = "relay box internal",
    [112] = "relay box PE off",
    [113] = "relay box PE on",
    [114] = "internal battery error",
    [115] = "parameter changed",
    [116] = "three failed attempts to build an island",
    [117] = "phase-to-phase undervoltage",
    [118] = "system reset",
    [119] = "update",
    [120] = "FRT overvoltage",
    [121] = "FRT undervoltage",
    [122] = "IGBT L1 free-wheeling diode",
    [123] = "IGBT L2 free-wheeling diode",
    [124] = "IGBT L3 free-wheeling diode",
    [125] = "single-phase mode not allowed for this class",
    [126] = "island",
    [127] = "neutral",
}
