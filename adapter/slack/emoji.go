package slack

import "strings"

// emojiName gives Slack's name of an emoji: a name as it is, or one of the common characters.
func emojiName(emoji string) (string, bool) {
	if emoji == "" {
		return "", false
	}
	name := strings.Trim(emoji, ":")
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("_+-'", r))
	})
	if plain {
		return name, true
	}
	bare := strings.Map(func(r rune) rune {
		if r == '\uFE0F' || r >= 0x1F3FB && r <= 0x1F3FF { // how it is shown, and the colour of the skin
			return -1
		}
		return r
	}, emoji)
	at := strings.Index(emojiTable, " "+bare+" ")
	if at < 0 || strings.ContainsAny(bare, " \n") {
		return "", false
	}
	name, _, _ = strings.Cut(emojiTable[at+len(bare)+2:], " ")
	return name, true
}

// emojiTable is pairs of an emoji and its name.
const emojiTable = " 👍 +1 👎 -1 👌 ok_hand ✅ white_check_mark ✔ heavy_check_mark ☑ ballot_box_with_check ❌ x ✖ heavy_multiplication_x ❎ negative_squared_cross_mark " +
	"⚠ warning 🚨 rotating_light 🔥 fire 🚀 rocket 🎉 tada 🎊 confetti_ball 👀 eyes 👋 wave 🙏 pray 💯 100 ❤ heart 🧡 orange_heart 💛 yellow_heart 💚 green_heart " +
	"💙 blue_heart 💜 purple_heart 🖤 black_heart 💔 broken_heart ⭐ star 🌟 star2 ✨ sparkles 💡 bulb 🐛 bug 🐦 bird 🦡 badger ⏳ hourglass_flowing_sand ⌛ hourglass " +
	"⏰ alarm_clock 🕐 clock1 🔁 repeat 🔄 arrows_counterclockwise ♻ recycle ⏸ double_vertical_bar ▶ arrow_forward ⏩ fast_forward ⏪ rewind ⏹ black_square_for_stop " +
	"🛑 octagonal_sign ⛔ no_entry 🚫 no_entry_sign 🔒 lock 🔓 unlock 🔑 key 🔔 bell 🔕 no_bell 📌 pushpin 📎 paperclip 📝 memo 📅 date 📈 chart_with_upwards_trend " +
	"📉 chart_with_downwards_trend 📊 bar_chart 📦 package 🔧 wrench 🔨 hammer 🛠 hammer_and_wrench ⚙ gear 🧪 test_tube 🧹 broom 🗑 wastebasket 💾 floppy_disk 💻 computer " +
	"🖥 desktop_computer 📣 mega 📢 loudspeaker 💬 speech_balloon 💭 thought_balloon ❓ question ❗ exclamation ‼ bangbang ➕ heavy_plus_sign ➖ heavy_minus_sign " +
	"😀 grinning 😄 smile 😂 joy 🙂 slightly_smiling_face 😉 wink 😍 heart_eyes 🤔 thinking_face 😐 neutral_face 😕 confused 😢 cry 😭 sob 😡 rage 😱 scream 😴 sleeping " +
	"🤖 robot_face 👏 clap 🙌 raised_hands 💪 muscle 🤝 handshake 🤷 shrug 🤦 face_palm 👉 point_right 👈 point_left 👆 point_up_2 👇 point_down ☕ coffee 🍺 beer " +
	"🍕 pizza 🎂 birthday 🏁 checkered_flag 🏆 trophy 🥇 first_place_medal 🟢 large_green_circle 🟡 large_yellow_circle 🔴 red_circle 🔵 large_blue_circle ⚪ white_circle " +
	"⚫ black_circle ⬆ arrow_up ⬇ arrow_down ➡ arrow_right ⬅ arrow_left 1⃣ one 2⃣ two 3⃣ three 4⃣ four 5⃣ five 6⃣ six 7⃣ seven 8⃣ eight 9⃣ nine 0⃣ zero 🔟 keycap_ten "
