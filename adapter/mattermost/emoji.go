package mattermost

import (
	"strconv"
	"strings"
	"sync"

	"github.com/mattermost/mattermost-server/v6/model"
)

// emojiNames gives the names of emoji: Mattermost takes names alone, and takes those that do not exist too.
type emojiNames func() map[string]string

// newEmojiNames turns the library's table, name to code points, around; when it is first needed.
func newEmojiNames() emojiNames {
	return sync.OnceValue(func() map[string]string {
		names := map[string]string{}
		for name, hex := range model.SystemEmojis {
			char := ""
			for part := range strings.SplitSeq(hex, "-") {
				n, err := strconv.ParseUint(part, 16, 32)
				if err != nil { // one that is a picture
					char = ""
					break
				}
				char += string(rune(n))
			}
			if char = bare(char); char == "" {
				continue
			}
			if old, ok := names[char]; !ok || len(name) < len(old) || len(name) == len(old) && name < old {
				names[char] = name // of several names the shortest, so that it is always the same one
			}
		}
		return names
	})
}

// bare takes away what only says how an emoji is shown, and the colour of the skin.
func bare(emoji string) string {
	return strings.Map(func(r rune) rune {
		if r == '\uFE0F' || r >= 0x1F3FB && r <= 0x1F3FF {
			return -1
		}
		return r
	}, emoji)
}

// name gives the name of an emoji: a name as it is, or that of the character.
func (e emojiNames) name(emoji string) (string, bool) {
	name := strings.Trim(emoji, ":")
	plain := name != "" && len(name) <= model.EmojiNameMaxLength && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+-", r))
	})
	if plain {
		return name, true
	}
	name, ok := e()[bare(emoji)]
	return name, ok
}

// withoutTone takes the colour of the skin off a name.
func withoutTone(name string) string {
	for _, tone := range [...]string{"_medium_light", "_medium_dark", "_light", "_dark", "_medium"} {
		if cut, ok := strings.CutSuffix(name, tone+"_skin_tone"); ok && cut != "" {
			return cut
		}
	}
	return name
}
