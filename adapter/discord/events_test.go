package discord_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestEvents: what happens in Discord, as the bot hears it.
func TestEvents(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		n := 0
		next := func() *adapter.Event { ev := e.Last(t, n); n++; return ev }
		nothing := func() { t.Helper(); wait(time.Second); require.Len(t, e.Heard(), n) }

		said, err := f.Say(alice, ops, "<@"+discordfake.BotUser+"> tell <@!"+bob+"> and <@&"+discordfake.RoleOps+"> in <#"+dev+"> <:party:77> `<@1>`")
		require.NoError(t, err)
		ev := next()
		require.Equal(t, adapter.KindMessage, ev.Kind)
		require.Equal(t, "@starling tell @Bobby and @ops in #dev :party: `<@1>`", ev.Text)
		require.True(t, ev.Mentioned)
		require.Equal(t, "starling", ev.BotName)
		require.Equal(t, adapter.User{Adapter: "discord", ID: alice, Name: "Alice", Kind: adapter.KindMember}, ev.User)
		require.Equal(t, "discord//"+alice, ev.User.Key(), "an id is global: there is no tenant")
		require.Equal(t, adapter.Room{ID: ops, Name: "ops", Kind: adapter.RoomChannel}, ev.Room)
		require.Equal(t, []string{discordfake.BotUser, bob}, []string{ev.Mentions[0].ID, ev.Mentions[1].ID})
		require.Equal(t, said, ev.MessageID)
		require.Equal(t, "0"+said, ev.Order)
		require.WithinDuration(t, time.Now(), ev.Time, time.Second)
		v, err := discord.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, alice, v.(*discordgo.MessageCreate).Author.ID)

		_, err = f.Say(alice, dev, "<@&"+discordfake.RoleBot+"> help")
		require.NoError(t, err)
		ev = next()
		require.Equal(t, "@starling help", ev.Text, "the bot's own role")
		require.True(t, ev.Mentioned)
		require.Equal(t, adapter.RoomPrivate, ev.Room.Kind)

		ref, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "question?"})
		require.NoError(t, err)
		_, err = f.Answer(alice, ops, ref.ID, "an answer")
		require.NoError(t, err)
		ev = next()
		require.Equal(t, "an answer", ev.Text)
		require.True(t, ev.Mentioned, "an inline reply mentions its author")
		require.Empty(t, ev.Thread)

		for _, messageType := range []int{6, 7, 18, 21, 46} { // pins, greetings, threads: nobody said them
			_, err = f.SayOf(alice, ops, "system", messageType)
			require.NoError(t, err)
		}
		nothing()

		said, err = f.Say(alice, ops, "first")
		require.NoError(t, err)
		next()
		for _, text := range []string{"@starling deploy", "@starling deploy it", "changed"} { // T27
			wait(time.Second)
			require.NoError(t, f.Edit(said, text))
			ev = next()
			require.Equal(t, adapter.KindEdit, ev.Kind)
			require.Equal(t, text, ev.Text)
			require.Equal(t, said, ev.MessageID)
			require.Equal(t, alice, ev.User.ID)
		}
		wait(time.Second)
		require.NoError(t, f.Unfurl(said, true)) // nobody changed it
		require.NoError(t, f.Unfurl(said, false))
		nothing()
		v, err = discord.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, said, v.(*discordgo.MessageUpdate).ID)

		for range 2 { // until nobody remembers the event of the edit
			wait(20 * time.Minute)
			_, err = f.Say(alice, dev, "meanwhile")
			require.NoError(t, err)
			next()
		}
		require.NoError(t, f.Unfurl(said, true)) // with the time of the last edit
		nothing()

		require.NoError(t, f.React(bob, said, "👍", true))
		ev = next()
		require.Equal(t, &adapter.Reaction{Emoji: "👍", Message: adapter.Ref{Address: to(ops), ID: said}, Author: adapter.User{Adapter: "discord", ID: alice}}, ev.Reaction)
		require.Equal(t, "Bobby", ev.User.Name)
		require.NoError(t, f.React(bob, said, "party:77", true))
		require.Equal(t, "party", next().Reaction.Emoji)
		require.NoError(t, f.React(bob, said, "👍", false))
		ev = next()
		require.True(t, ev.Reaction.Removed)
		require.Equal(t, "Bobby", ev.User.Name)
		require.Equal(t, adapter.KindMember, ev.User.Kind)
		v, err = discord.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, said, v.(*discordgo.MessageReactionRemove).MessageID)

		require.NoError(t, f.Delete(said))
		ev = next()
		require.Equal(t, adapter.KindDelete, ev.Kind)
		require.Empty(t, ev.User.ID)
		require.Equal(t, said, ev.MessageID)
		one, _ := f.Say(alice, ops, "one")
		two, _ := f.Say(alice, ops, "two")
		wait(time.Second)
		n += 2
		f.DeleteAll(ops, []string{one, two})
		wait(time.Second)
		require.Equal(t, []string{one, two}, []string{e.Heard()[n].MessageID, e.Heard()[n+1].MessageID})
		n += 2
		require.NoError(t, a.Delete(t.Context(), ref))
		nothing()

		f.Join(bob)
		ev = next()
		require.Equal(t, adapter.KindJoin, ev.Kind)
		require.Equal(t, ops, ev.Room.ID, "where the server greets people")
		require.Equal(t, bob, ev.User.ID)
		f.Leave(bob)
		require.Equal(t, adapter.KindLeave, next().Kind)

		f.ChangeTopic(ops, "fires")
		ev = next()
		require.Equal(t, adapter.KindTopic, ev.Kind)
		require.Equal(t, "fires", ev.Text)
		f.ChangeTopic(ops, "fires") // something else was changed
		f.Deliver("CHANNEL_UPDATE", map[string]any{"id": none, "type": 0, "guild_id": discordfake.Guild, "name": "new", "topic": "nobody knows whether it is another one"})
		nothing()
		require.NoError(t, a.SetTopic(t.Context(), ops, "smoke"))
		nothing()

		require.NoError(t, f.Direct(bob, "psst"))
		ev = next()
		require.Equal(t, adapter.RoomDirect, ev.Room.Kind)
		require.Equal(t, adapter.KindMember, ev.User.Kind, "asked of the server")
		require.Equal(t, "Bob", ev.User.Name)

		require.NoError(t, f.Hook(ops, "from a hook"))
		ev = next()
		require.Equal(t, adapter.KindBot, ev.User.Kind)
		_, err = f.Say(other, ops, "beep")
		require.NoError(t, err)
		require.Equal(t, adapter.KindBot, next().User.Kind)

		require.NoError(t, f.Use(alice, ops, []string{"job", "run", "now"}, []map[string]any{
			{"name": "n", "type": 4, "value": json.Number("9007199254740993")}, {"name": "ratio", "type": 10, "value": 0.5}, {"name": "force", "type": 5, "value": true},
			{"name": "who", "type": 6, "value": bob}, {"name": "where", "type": 7, "value": dev}, {"name": "note", "type": 3, "value": "for <@" + bob + "> in <#" + dev + ">"},
		}, map[string]any{"users": map[string]any{bob: map[string]any{"id": bob, "username": "bob"}}, "members": map[string]any{bob: map[string]any{"nick": "Bobby"}}}))
		ev = next()
		require.Equal(t, &adapter.Invocation{Command: "job run now", Options: map[string]string{
			"n": "9007199254740993", "ratio": "0.5", "force": "true", "who": bob, "where": dev, "note": "for @Bobby in #dev"}}, ev.Invocation)
		require.Equal(t, "Bobby", ev.Mentions[0].Name)
		require.Equal(t, adapter.Room{ID: ops, Name: "ops", Kind: adapter.RoomChannel}, ev.Room)
		v, err = discord.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, "job", v.(*discordgo.InteractionCreate).ApplicationCommandData().Name)

		_, err = discord.Decode(&adapter.Event{Kind: adapter.KindSignal, Raw: json.RawMessage(`{}`)})
		require.ErrorIs(t, err, adapter.ErrUnsupported)
		_, err = discord.Decode(&adapter.Event{Kind: adapter.KindMessage})
		require.ErrorIs(t, err, adapter.ErrNotFound)
		f.Deliver("A_KIND_FROM_TOMORROW", map[string]any{})
		wait(time.Second)
		require.Equal(t, 1, a.Status().Unknown["A_KIND_FROM_TOMORROW"])
	})
}

// TestKinds: who is a member, a guest, external, a bot, or nobody knows (T4).
func TestKinds(t *testing.T) {
	t.Parallel()
	const foreign, foreignRoom, stranger, newcomer = "100000000000000002", "300000000000000003", "200000000000000003", "200000000000000004"
	setting := func(f *discordfake.Server) {
		f.AddGuild(foreign)
		f.AddChannel(discordfake.Channel{ID: foreignRoom, Name: "elsewhere", Guild: foreign})
		f.AddUser(discordfake.User{ID: stranger, Name: "carol", Outside: true})
		f.AddUser(discordfake.User{ID: newcomer, Name: "dave", Pending: true})
	}
	for _, c := range []struct {
		name, user, room string // room "": direct
		guilds           []string
		fail             bool
		want             adapter.UserKind
	}{
		{"takes an emoji away on another server", alice, "reaction", []string{discordfake.Guild}, false, adapter.KindExternal},
		{"takes an emoji away", alice, "reaction", nil, false, adapter.KindMember},
		{"member", alice, ops, nil, false, adapter.KindMember},
		{"member of the server that counts", alice, ops, []string{discordfake.Guild}, false, adapter.KindMember},
		{"on another server", alice, foreignRoom, []string{discordfake.Guild}, false, adapter.KindExternal},
		{"on another server that counts too", alice, foreignRoom, nil, false, adapter.KindMember},
		{"has not accepted the rules", newcomer, ops, nil, false, adapter.KindGuest},
		{"direct, member", alice, "", nil, false, adapter.KindMember},
		{"direct, has not accepted the rules", newcomer, "", nil, false, adapter.KindGuest},
		{"direct, of no server", stranger, "", nil, false, adapter.KindExternal},
		{"direct, nobody can tell", alice, "", nil, true, adapter.KindUnknown},
		{"bot", other, ops, nil, false, adapter.KindBot},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				setting(f)
				e := new(ear)
				cfg := configFor(f)
				cfg.Guilds = c.guilds
				start(t, f, cfg, e.Sink)
				if c.fail {
					f.Fail(discordfake.Fault{Route: "member", Kind: discordfake.FaultHang, Times: 9})
				}
				if c.room == "reaction" {
					said, err := f.Say(discordfake.BotUser, foreignRoom, "like me")
					require.NoError(t, err)
					require.NoError(t, f.React(c.user, said, "👍", false))
					ev := e.Last(t, 0)
					require.Equal(t, c.want, ev.User.Kind)
					require.Equal(t, "Alice", ev.User.Name)
					return
				}
				if c.room == "" {
					require.NoError(t, f.Direct(c.user, "hello"))
				} else {
					_, err := f.Say(c.user, c.room, "hello")
					require.NoError(t, err)
				}
				wait(5 * time.Second)
				ev := e.Last(t, 0)
				require.Equal(t, c.want, ev.User.Kind)
				require.Equal(t, "hello", ev.Text, "a look-up that fails never drops an event")
			})
		})
	}
}

// TestWithheld: that messages come without their content is noticed and said.
func TestWithheld(t *testing.T) {
	bubble(t, discordfake.Options{Flags: discordfake.FlagMembers}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		cfg := configFor(f)
		cfg.Intents = discord.DefaultIntents() &^ int(discordgo.IntentMessageContent)
		a := start(t, f, cfg, e.Sink)
		_, err := f.Say(alice, ops, "withheld")
		require.NoError(t, err)
		require.Empty(t, e.Last(t, 0).Text)
		require.Equal(t, 1, a.Status().Empty)
		_, err = f.Say(alice, ops, "<@"+discordfake.BotUser+"> hello")
		require.NoError(t, err)
		require.Equal(t, "@starling hello", e.Last(t, 1).Text)
		require.Equal(t, 1, a.Status().Empty)
	})
}

// TestRemembered: what is remembered of roles, rooms, threads and servers follows what the gateway tells, and what it tells
// wrongly does no harm.
func TestRemembered(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		n := 0
		said := func(text string) string {
			t.Helper()
			wait(time.Second)
			_, err := f.Say(alice, ops, text)
			require.NoError(t, err)
			ev := e.Last(t, n)
			n++
			return ev.Text
		}
		const role, thread = "100000000000000030", "300000000000000077"
		tell := func(kind string, data map[string]any) { data["guild_id"] = discordfake.Guild; f.Deliver(kind, data) }
		require.Equal(t, "@"+role, said("<@&"+role+">"))
		tell("GUILD_ROLE_CREATE", map[string]any{"role": map[string]any{"id": role, "name": "on call"}})
		require.Equal(t, "@on call", said("<@&"+role+">"))
		tell("GUILD_ROLE_UPDATE", map[string]any{"role": map[string]any{"id": role, "name": "sleeping"}})
		require.Equal(t, "@sleeping", said("<@&"+role+">"))
		tell("GUILD_ROLE_DELETE", map[string]any{"role_id": role})
		require.Equal(t, "@"+role, said("<@&"+role+">"))

		require.Equal(t, "#"+thread, said("<#"+thread+">"))
		tell("THREAD_LIST_SYNC", map[string]any{"threads": []any{map[string]any{"id": thread, "type": 11, "parent_id": ops, "name": "why so slow"}}})
		require.Equal(t, "#why so slow", said("<#"+thread+">"))
		tell("CHANNEL_DELETE", map[string]any{"id": thread, "type": 11})
		require.Equal(t, "#"+thread, said("<#"+thread+">"))

		tell("GUILD_UPDATE", map[string]any{"id": discordfake.Guild, "name": "renamed", "system_channel_id": dev})
		wait(time.Second)
		f.Join(bob)
		require.Equal(t, dev, e.Last(t, n).Room.ID)
		n++
		f.Deliver("GUILD_DELETE", map[string]any{"id": discordfake.Guild}) // the bot was removed
		wait(time.Second)
		f.Join(bob)
		wait(time.Second)
		require.Len(t, e.Heard(), n)

		for _, kind := range []string{"CHANNEL_UPDATE", "THREAD_LIST_SYNC", "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_ADD",
			"MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "MESSAGE_REACTION_ADD"} {
			f.Deliver(kind, map[string]any{"id": 7, "threads": 7, "role": 7, "role_id": []int{1}, "user": 7, "ids": 7})
			require.Equal(t, kind, said(kind))
			require.Equal(t, 1, a.Status().Unknown[kind+" (malformed)"], kind)
		}
		f.Deliver("TYPING_START", map[string]any{})
		require.Equal(t, "x", said("x"))
		require.NotContains(t, a.Status().Unknown, "TYPING_START")
	})
}

// TestDirectory: names are found among those who were heard and those of the servers, each look-up once for all who want it, and
// changes are seen.
func TestDirectory(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		u, err := a.User(t.Context(), "@bobby")
		require.NoError(t, err)
		require.Equal(t, bob, u.ID)
		f.AddUser(discordfake.User{ID: "200000000000000005", Name: "bobby"})
		_, err = a.User(t.Context(), "@Bobby")
		require.ErrorIs(t, err, adapter.ErrAmbiguous)
		_, err = a.User(t.Context(), "@nobody")
		require.ErrorIs(t, err, adapter.ErrNotFound)
		_, err = a.User(t.Context(), "")
		require.ErrorIs(t, err, adapter.ErrNotFound)

		before := f.Calls("user")
		errs := make(chan error, 50)
		for range 50 {
			go func() { _, err := a.User(context.Background(), alice); errs <- err }()
		}
		for range 50 {
			require.NoError(t, <-errs)
		}
		require.Equal(t, before+1, f.Calls("user"), "one call for all")
		f.AddUser(discordfake.User{ID: alice, Name: "alice", Global: "Alice B."})
		u, err = a.User(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, "Alice", u.Name, "remembered")
		f.Deliver("GUILD_MEMBER_UPDATE", map[string]any{"guild_id": discordfake.Guild, "user": map[string]any{"id": alice}})
		wait(time.Second)
		u, err = a.User(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, "Alice B.", u.Name)

		r, err := a.Room(t.Context(), "#DEV")
		require.NoError(t, err)
		require.Equal(t, adapter.Room{ID: dev, Name: "dev", Kind: adapter.RoomPrivate}, r)
		_, err = a.Room(t.Context(), "#new")
		require.ErrorIs(t, err, adapter.ErrNotFound)
		f.AddChannel(discordfake.Channel{ID: "300000000000000008", Name: "new"})
		wait(time.Second)
		r, err = a.Room(t.Context(), "#new")
		require.NoError(t, err, "the gateway told of it")
		require.Equal(t, "300000000000000008", r.ID)
		f.Deliver("CHANNEL_UPDATE", map[string]any{"id": dev, "type": 0, "guild_id": discordfake.Guild, "name": "renamed"})
		wait(time.Second)
		r, err = a.Room(t.Context(), dev)
		require.NoError(t, err)
		require.Equal(t, "renamed", r.Name)
	})
}
