package mattermost_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
	"github.com/starlingbot/starling/testutil/adaptertest"
)

// TestLive runs the contract against a real server. A person speaks through MATTERMOST_USER_TOKEN; the second one, who presses and
// reacts, is the same: a server has one token for this.
func TestLive(t *testing.T) {
	names := []string{"MATTERMOST_URL", "MATTERMOST_TOKEN", "MATTERMOST_USER_TOKEN", "MATTERMOST_TEAM", "MATTERMOST_CHANNEL"}
	env := map[string]string{}
	var missing []string
	for _, name := range names {
		if env[name] = os.Getenv(name); env[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		t.Skipf("SKIPPED, nothing was tested against Mattermost itself: it needs MATTERMOST_URL (the server's address), MATTERMOST_TOKEN (of a bot account), "+
			"MATTERMOST_USER_TOKEN (a personal access token of who speaks, not a bot), MATTERMOST_TEAM and MATTERMOST_CHANNEL (names or ids of a team and a channel that both "+
			"are in); missing: %s", strings.Join(missing, ", "))
	}
	f := newFarSide(t, env)
	adaptertest.Run(t, f.harness)
}

// TestLiveHarness lets TestLive's far side stand before the fake over loopback, so that it is known to work: a few cases of each sort.
func TestLiveHarness(t *testing.T) {
	t.Parallel()
	server, err := fake.Listen(fake.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	people(server)
	server.AddRoom(fake.Room{ID: fake.ID("live"), Name: "live", Members: []string{fake.ID("admin")}})
	f := newFarSide(t, map[string]string{"MATTERMOST_URL": server.URL(), "MATTERMOST_TOKEN": fake.Token, "MATTERMOST_USER_TOKEN": fake.AdminToken,
		"MATTERMOST_TEAM": "main", "MATTERMOST_CHANNEL": "live"})
	f.settle = 20 * time.Millisecond
	results, err := adaptertest.Check(t, f.harness, "run/again", "event/message", "room/direct", "mention/set", "thread/answer", "edit/event", "ack/restart", "send/key",
		"text/data", "react/theirs", "fields/shown", "topic/works", "files/in", "files/out")
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, adaptertest.OK, r.Status, "%s: %v %s", r.Case.Name, r.Err, r.Reason)
	}
}

// farSide is a person on a real server, and what is shown there.
type farSide struct {
	settle      time.Duration
	url, token  string
	person, bot *model.Client4
	me, botUser *model.User
	room        string
	since       int64
	mu          sync.Mutex
	rooms       map[string]string // post -> room
}

func newFarSide(t *testing.T, env map[string]string) *farSide {
	t.Helper()
	client := func(token string) *model.Client4 {
		c := model.NewAPIv4Client(env["MATTERMOST_URL"])
		c.SetToken(token)
		c.HTTPClient.Timeout = 20 * time.Second
		t.Cleanup(c.HTTPClient.CloseIdleConnections)
		return c
	}
	f := &farSide{url: env["MATTERMOST_URL"], token: env["MATTERMOST_TOKEN"], settle: time.Second, person: client(env["MATTERMOST_USER_TOKEN"]), bot: client(env["MATTERMOST_TOKEN"]), rooms: map[string]string{}}
	var err error
	f.me, _, err = f.person.GetMe("")
	require.NoError(t, err, "MATTERMOST_USER_TOKEN")
	f.botUser, _, err = f.bot.GetMe("")
	require.NoError(t, err, "MATTERMOST_TOKEN")
	require.False(t, f.me.IsBot, "MATTERMOST_USER_TOKEN is that of a bot; it must be a person's")
	team, channel := env["MATTERMOST_TEAM"], env["MATTERMOST_CHANNEL"]
	if !model.IsValidId(team) {
		found, _, err := f.person.GetTeamByName(team, "")
		require.NoError(t, err, "MATTERMOST_TEAM")
		team = found.Id
	}
	if !model.IsValidId(channel) {
		found, _, err := f.person.GetChannelByName(channel, team, "")
		require.NoError(t, err, "MATTERMOST_CHANNEL")
		channel = found.Id
	}
	f.room = channel
	_, _, err = f.bot.GetChannelMember(channel, f.botUser.Id, "")
	require.NoError(t, err, "the bot is not in MATTERMOST_CHANNEL: invite it")
	f.since = model.GetMillis()
	return f
}

func (f *farSide) create(c *model.Client4, room, root, text string, files ...string) (string, error) {
	p, _, err := c.CreatePost(&model.Post{ChannelId: room, RootId: root, Message: text, FileIds: files})
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rooms[p.Id] = room
	return p.Id, nil
}

// posts gives what the bot has said, in the room and in the direct one.
func (f *farSide) posts() (out []adaptertest.Post) {
	rooms := []string{f.room}
	if d, _, err := f.person.CreateDirectChannel(f.me.Id, f.botUser.Id); err == nil {
		rooms = append(rooms, d.Id)
	}
	var posts []*model.Post
	for _, room := range rooms {
		list, _, err := f.bot.GetPostsSince(room, f.since, false)
		if err != nil {
			continue
		}
		for _, id := range list.Order {
			if p := list.Posts[id]; p.UserId == f.botUser.Id && p.DeleteAt == 0 && !p.IsSystemMessage() {
				posts = append(posts, p)
			}
		}
	}
	slices.SortFunc(posts, func(a, b *model.Post) int { return int(a.CreateAt - b.CreateAt) })
	for _, p := range posts {
		q := adaptertest.Post{ID: p.Id, Room: p.ChannelId, Thread: p.RootId, Text: fake.Plain(p.Message)}
		for _, att := range p.Attachments() {
			for _, field := range att.Fields {
				q.Fields = append(q.Fields, adapter.Field{Name: fake.Plain(field.Title), Value: fake.Plain(fmt.Sprint(field.Value))})
			}
			for _, act := range att.Actions {
				q.Buttons = append(q.Buttons, act.Name)
			}
		}
		if p.HasReactions {
			list, _, err := f.person.GetReactions(p.Id)
			for _, r := range list {
				if err == nil && r.UserId == f.botUser.Id {
					q.Reactions = append(q.Reactions, r.EmojiName)
				}
			}
		}
		for _, id := range p.FileIds {
			info, _, err := f.person.GetFileInfo(id)
			body, _, err2 := f.person.GetFile(id)
			if err == nil && err2 == nil {
				q.Files = append(q.Files, adaptertest.File{Name: info.Name, Content: string(body)})
			}
		}
		out = append(out, q)
	}
	return out
}

func (f *farSide) harness(tb testing.TB) adaptertest.Harness {
	var running *mattermost.Adapter
	kept := &shelf{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	say := func(_, room, text string) (string, error) { return f.create(f.person, room, "", text) }
	id := func(name string) string { return (name + strings.Repeat("z", 26))[:26] }
	return adaptertest.Harness{
		Wait: 30 * time.Second, Settle: f.settle,
		Users: []string{f.me.Id, f.me.Id + " "}, Rooms: []string{f.room}, // one person is enough for the cases that are not skipped below
		Missing: adaptertest.Missing{Room: id("noroom"), User: id("nobody"), Message: id("nopost"), File: id("nofile")},
		Open: func() (adapter.Adapter, error) {
			a, err := mattermost.New(mattermost.Config{URL: f.url, Token: f.token, Positions: kept, HTTPClient: client, Logger: quiet()})
			running = a
			return a, err
		},
		Connected: func(ctx context.Context) error {
			t := time.NewTicker(20 * time.Millisecond)
			defer t.Stop()
			for !running.Status().Connected {
				select {
				case <-t.C:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		},
		Say: say,
		Mention: func(user, room, text string) error {
			_, err := say(user, room, "@"+f.botUser.Username+" "+text)
			return err
		},
		Direct: func(_, text string) error {
			d, _, err := f.person.CreateDirectChannel(f.me.Id, f.botUser.Id)
			if err == nil {
				_, err = f.create(f.person, d.Id, "", text)
			}
			return err
		},
		Reply: func(_ string, under adaptertest.Post, text string) error {
			root := under.Thread
			if root == "" {
				root = under.ID
			}
			_, err := f.create(f.person, under.Room, root, text)
			return err
		},
		Edit: func(_, said, text string) error {
			_, _, err := f.person.PatchPost(said, &model.PostPatch{Message: &text})
			return err
		},
		Delete: func(_, said string) error { _, err := f.person.DeletePost(said); return err },
		Share: func(_, room, text string, file adaptertest.File) error {
			up, _, err := f.person.UploadFile([]byte(file.Content), room, file.Name)
			if err == nil && len(up.FileInfos) != 1 {
				err = errors.New("the file was not taken")
			}
			if err == nil {
				_, err = f.create(f.person, room, "", text, up.FileInfos[0].Id)
			}
			return err
		},
		Own:       func(room, text string) error { _, err := f.create(f.bot, room, "", text); return err },
		Redeliver: func() error { return nil },
		Topic: func(room string) string {
			c, _, err := f.bot.GetChannel(room, "")
			if err != nil {
				return ""
			}
			return c.Header
		},
		Reactions: func(said string) (out []string) {
			list, _, err := f.person.GetReactions(said)
			for _, r := range list {
				if err == nil && r.UserId == f.botUser.Id {
					out = append(out, r.EmojiName)
				}
			}
			return out
		},
		Posts: f.posts,
		Skip: map[string]string{
			"user/identity":   "one person has a token here",
			"direct/opens":    "one person has a token here",
			"send/concurrent": "50 at once meet the limits of many servers",
		},
		Close: func() error { client.CloseIdleConnections(); return nil },
	}
}
